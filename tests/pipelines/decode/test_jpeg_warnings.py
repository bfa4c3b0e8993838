"""A picture that libjpeg filled up is damaged, though OpenCV hands it out as if it were whole."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import numpy as np
import pytest

from data_manifests.errors import InputError
from pipelines.decode.encode_jpeg import from_jpeg, to_jpeg
from pipelines.decode.jpeg_source import open_jpegs
from pipelines.decode.jpeg_warnings import refused_by_ffmpeg, watched
from pipelines.decode.media_rules import MediaRules
from pipelines.decode.plan import FramePlan
from pipelines.decode.source import LostFrame, StoredFrame
from tests.video_maker import draw_frame

_WHOLE = to_jpeg(draw_frame(5, (320, 240)), 90)


def _overwritten(seed: int) -> bytes:
    dice, data = random.Random(seed), bytearray(_WHOLE)
    at = dice.randrange(700, len(data) - 20)
    data[at : at + 16] = dice.randbytes(16)
    return bytes(data)


def _lost(folder: Path, pictures: list[bytes], strict: bool) -> int:
    for number, data in enumerate(pictures, 1):
        (folder / f"frame_{number}.jpg").write_bytes(data)
    with open_jpegs(folder, None, None, lambda: None, MediaRules(strict=strict)) as source:
        frames = list(source.frames(source.numbers, FramePlan()))
    assert all(isinstance(frame, LostFrame | StoredFrame) for frame in frames)
    return sum(isinstance(frame, LostFrame) for frame in frames)


def test_a_whole_picture_brings_no_warning_and_keeps_its_pixels(tmp_path: Path) -> None:
    picture, warning = watched(lambda: from_jpeg(_WHOLE))
    assert warning is None
    assert np.array_equal(picture, from_jpeg(_WHOLE))
    assert _lost(tmp_path, [_WHOLE], strict=True) == 0


def test_most_damaged_pictures_are_lost_and_more_of_them_in_the_strict_mode(tmp_path: Path) -> None:
    pictures = [_overwritten(seed) for seed in range(60)]
    usual, strict = (_lost(tmp_path, pictures, strict) for strict in (False, True))
    assert 30 <= usual < strict


def test_the_failure_quotes_the_warning(tmp_path: Path) -> None:
    for seed in range(20):
        (tmp_path / f"frame_{seed}.jpg").write_bytes(_overwritten(seed))
    with open_jpegs(tmp_path, None, None, lambda: None) as source:
        found = [frame.failure for frame in source.frames(range(20), FramePlan()) if isinstance(frame, LostFrame)]
    assert all(failure.reason == "decode_error" for failure in found)
    assert any("it is damaged (Corrupt JPEG data: " in failure.error for failure in found)


def test_what_is_no_warning_is_printed_and_standard_error_comes_back(capfd: pytest.CaptureFixture[str]) -> None:
    def decode() -> int:
        os.write(2, b"something else\nCorrupt JPEG data: bad Huffman code\n")
        return 3

    assert watched(decode) == (3, "Corrupt JPEG data: bad Huffman code")
    print("afterwards", file=sys.stderr)
    assert capfd.readouterr().err == "something else\nafterwards\n"


def test_an_error_of_the_decoder_passes_and_standard_error_comes_back(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError):
        watched(lambda: from_jpeg(b"no picture"))
    print("afterwards", file=sys.stderr)
    assert "afterwards" in capfd.readouterr().err


def test_ffmpeg_takes_every_whole_picture() -> None:
    for size in ((16, 16), (17, 31), (320, 240), (456, 256)):
        for quality in (10, 75, 100):
            assert not refused_by_ffmpeg(to_jpeg(draw_frame(3, size), quality))
