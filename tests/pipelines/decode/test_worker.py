from __future__ import annotations

import errno
import tarfile
import zlib
from pathlib import Path

import av
import cv2
import numpy as np
import pyarrow as pa
import pytest

from data_manifests.errors import InputError
from pipelines.decode import chunk_source
from pipelines.decode.container import VideoError
from pipelines.decode.encode_jpeg import to_jpeg
from pipelines.decode.plan import FramePlan
from pipelines.decode.reader import open_video
from pipelines.decode.task import VideoTask
from pipelines.decode.worker import decode_video, reason_of
from pipelines.engine.clips import Clip

PLAN = FramePlan(segments=2, candidates=1, short_side=0)


def _nothing() -> None:
    pass


def _rows(path: str) -> list[dict]:
    with pa.OSFile(path, "rb") as source, pa.ipc.open_stream(source) as stream:
        return stream.read_all().to_pylist()


def test_clips_are_chosen_in_the_order_of_time_and_told_in_the_order_of_the_task(tmp_path, video_maker, monkeypatch):
    folder = tmp_path / "video.mp4"
    folder.mkdir()
    for start in range(0, 14, 2):
        video_maker.make_video(folder / f"{start}.mp4", seconds=1 if start == 12 else 2)
    opened = []

    def counted(path: Path, **kwargs):
        opened.append(int(path.stem))
        return open_video(path, **kwargs)

    monkeypatch.setattr(chunk_source, "open_video", counted)
    # The order of EPIC-KITCHENS: by the text of the narration's id, 10 before 2.
    starts = [20.0, 0.2, 10.2, 2.2, 8.2, 4.2, 15.0, 0.4, 10.4]
    clips = [Clip(f"clip at {start}", start, start + 1.0) for start in starts]
    task = VideoTask("v", str(folder), "chunks", 0.0, None, None, clips, PLAN, output=str(tmp_path / "out"))
    result = decode_video(task, _nothing)
    assert [failure["clip_id"] for failure in result["failures"]] == ["clip at 20.0", "clip at 15.0"]
    told = [row["clip_id"] for row in _rows(f"{task.output}.clip_frames.arrow")]
    assert told == [clip.clip_id for clip in clips for _ in range(2) if clip.start_s < 13]
    # The last for the end, each to choose from, each to decode, then the first and the last for the facts.
    assert opened == [12, 0, 2, 4, 8, 10, 12, 0, 2, 4, 8, 10, 0, 12]


def test_a_lost_frame_counts_for_every_instant_of_every_clip_that_wanted_it(tmp_path: Path) -> None:
    for number in range(1, 101):
        picture = b"no picture" if number == 13 else to_jpeg(np.zeros((48, 64, 3), np.uint8), 90)
        (tmp_path / f"frame_{number:010d}.jpg").write_bytes(picture)
    clips = [Clip("a", 0.0, 1.0, 1, 50), Clip("b", 0.0, 1.0, 1, 50), Clip("c", 1.0, 2.0, 51, 100)]
    task = VideoTask("v", str(tmp_path), "frames", 0.0, 50.0, None, clips, PLAN, output=str(tmp_path / "out"))
    (lost,) = decode_video(task, _nothing)["failures"]
    assert (lost["pts"], lost["rows"]) == (13, 2)
    told = _rows(f"{task.output}.clip_frames.arrow")
    assert len(told) + lost["rows"] == len(clips) * PLAN.segments


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (VideoError("no pictures", "no_video_stream"), "no_video_stream"),
        (InputError("frame 3"), "decode_error"),
        (PermissionError(errno.EACCES, "denied"), "io_error"),
        (MemoryError(), "out_of_memory"),
        (av.error.InvalidDataError(1, "invalid"), "decode_error"),
        (cv2.error("too large"), "decode_error"),
        (tarfile.ReadError("bad checksum"), "decode_error"),
        (zlib.error("bad block"), "decode_error"),
        (OverflowError("a time beyond 64 bits"), "decode_error"),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, "metadata"), "decode_error"),
    ],
)
def test_what_a_video_the_disk_or_the_memory_can_cause_has_a_reason(error: BaseException, reason: str) -> None:
    assert reason_of(error) == reason


@pytest.mark.parametrize(
    "kind",
    [
        TypeError,
        AttributeError,
        NameError,
        KeyError,
        IndexError,
        AssertionError,
        ImportError,
        NotImplementedError,
        ValueError,
        RuntimeError,
        SystemExit,
    ],
)
def test_what_only_a_mistake_of_ours_can_cause_has_none(kind: type[BaseException]) -> None:
    assert reason_of(kind("x")) is None
