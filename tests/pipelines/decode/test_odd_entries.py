"""One entry among the pictures of a video that is no picture loses its frame, not the video."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipelines.decode import jpeg_source
from pipelines.decode.encode_jpeg import to_jpeg
from pipelines.decode.jpeg_source import open_jpegs
from pipelines.decode.plan import FramePlan
from pipelines.decode.source import LostFrame, StoredFrame

_PLAN = FramePlan(segments=4, candidates=1, short_side=256)
_JPEG = to_jpeg(np.zeros((48, 64, 3), np.uint8), 90)


def _huge(file: Path) -> None:
    file.write_bytes(b"")
    os.truncate(file, jpeg_source.LARGEST_FILE + 1)


_ENTRIES: dict[str, Callable[[Path], object]] = {
    "folder": lambda file: file.mkdir(),
    "pipe": lambda file: os.mkfifo(file),
    "huge": _huge,
    "empty": lambda file: file.write_bytes(b""),
    "link": lambda file: file.symlink_to(file.with_name("frame_0000000001.jpg")),
}


@pytest.mark.parametrize("kind", list(_ENTRIES))
def test_a_bad_entry_loses_its_frame_only(tmp_path: Path, kind: str) -> None:
    for number in (1, 2, 4, 5):
        (tmp_path / f"frame_{number:010d}.jpg").write_bytes(_JPEG)
    _ENTRIES[kind](tmp_path / "frame_0000000003.jpg")
    with open_jpegs(tmp_path, 50.0, None, lambda: None) as source:
        found = {frame.pts: frame for frame in source.frames(range(1, 6), _PLAN)}
    assert [number for number, frame in found.items() if isinstance(frame, StoredFrame)] == [1, 2, 4, 5]
    lost = found[3]
    assert isinstance(lost, LostFrame)
    assert lost.failure.reason == "decode_error"


def test_a_huge_member_of_a_tar_loses_its_frame_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jpeg_source, "LARGEST_FILE", len(_JPEG))
    for number, data in ((1, _JPEG), (2, _JPEG + bytes(100)), (3, _JPEG)):
        (tmp_path / f"frame_{number}.jpg").write_bytes(data)
    with tarfile.open(tmp_path / "v.tar", "w") as archive:
        for number in (1, 2, 3):
            archive.add(tmp_path / f"frame_{number}.jpg", f"frame_{number}.jpg")
    with open_jpegs(tmp_path / "v.tar", 50.0, None, lambda: None) as source:
        found = {frame.pts: frame for frame in source.frames(range(1, 4), _PLAN)}
    assert [number for number, frame in found.items() if isinstance(frame, LostFrame)] == [2]
