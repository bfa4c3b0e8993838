from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_manifests.errors import UsageError
from pipelines.decode.reader import open_video
from pipelines.predict import Frames


def noise(count: int = 5) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 33, 47, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("times", "expected", "duration_s"),
    [
        ({"fps": 12.5}, [0, 80, 160, 240, 320], 0.4),
        ({"fps": 15}, [0, 67, 133, 200, 267], 1 / 3),
        ({"times_s": [3, 3.1, 3.5, 4, 4.25]}, [0, 100, 500, 1000, 1250], 1.5),
    ],
)
def test_every_pixel_is_read_back_at_its_time(
    tmp_path: Path, times: dict[str, Any], expected: list[int], duration_s: float
) -> None:
    pictures = noise()
    reader = open_video(Frames(pictures, **times).write(tmp_path))
    found = list(reader.frames(expected, short_side=0))
    assert [frame.pts for frame in found] == expected
    assert all((frame.rgb == picture).all() for frame, picture in zip(found, pictures, strict=True))
    assert reader.info.duration_s == pytest.approx(duration_s, abs=0.0011)


def test_equal_frames_are_written_once_and_others_elsewhere(tmp_path: Path) -> None:
    file = Frames(noise(), fps=10, name="tea").write(tmp_path)
    assert file.name == "tea"
    before = file.stat().st_mtime_ns
    assert Frames(noise(), fps=10, name="tea").write(tmp_path) == file
    assert file.stat().st_mtime_ns == before
    assert Frames(noise(), fps=11, name="tea").write(tmp_path) != file
    assert Frames(noise(4), fps=10, name="tea").write(tmp_path) != file


def test_one_frame_is_a_video(tmp_path: Path) -> None:
    assert open_video(Frames(noise(1), fps=10).write(tmp_path)).info.duration_s == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pictures": noise().astype(np.float32)}, r"found float32 \[5, 33, 47, 3\]; expected uint8"),
        ({"pictures": [noise()]}, r"found list; expected a numpy array"),
        ({"pictures": noise()[0]}, r"found uint8 \[33, 47, 3\]; expected uint8 \[T, H, W, 3\]"),
        ({"pictures": noise()[..., :1]}, r"found uint8 \[5, 33, 47, 1\]; expected uint8 \[T, H, W, 3\], RGB"),
        ({"pictures": noise()[:0]}, r"found uint8 \[0, 33, 47, 3\]; .* T ≥ 1"),
        ({"fps": None}, "expected one of fps"),
        ({"times_s": [0, 1, 2, 3, 4]}, "expected one of fps"),
        ({"fps": 0}, "fps 0: expected more than 0"),
        ({"fps": None, "times_s": [0, 1, 2]}, "3 times for 5 frames; expected one per frame"),
        ({"fps": None, "times_s": [0, 1, 1.0001, 2, 3]}, "each a millisecond or more after the one before"),
        ({"fps": None, "times_s": [0, 1, float("nan"), 2, 3]}, "expected finite numbers of seconds"),
        ({"name": "a/b"}, "name 'a/b': expected a file name"),
    ],
)
def test_what_are_no_frames_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Frames(**{"pictures": noise(), "fps": 10, **change})
