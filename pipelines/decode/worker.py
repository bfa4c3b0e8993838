"""Decode one video in a worker process and write two Arrow files.

This is the same for every kind of frame source.
"""

from __future__ import annotations

import tarfile
import zlib
from collections import Counter
from collections.abc import Callable
from typing import Any

import av
import cv2
import numpy as np
import pyarrow as pa

from data_manifests.errors import XmicError
from data_manifests.remote.access import waiting_calls
from data_manifests.remote.path import path_of
from pipelines.decode.container import VideoError
from pipelines.decode.open_source import open_source
from pipelines.decode.plan import NO_FRAME
from pipelines.decode.source import FrameSource, LostFrame
from pipelines.decode.tables import CLIP_FRAMES, FRAMES
from pipelines.decode.task import VideoTask

_BATCH = 64

_OF_THE_VIDEO = (
    XmicError,
    av.error.FFmpegError,
    cv2.error,
    tarfile.TarError,
    zlib.error,
    ArithmeticError,  # by the numbers a container states: a time beyond 64 bits, a rate of nothing
    UnicodeError,  # in its metadata
)


def reason_of(error: BaseException) -> str | None:
    """Return the reason code of an exception, None for a program mistake.

    A video, the disk or a lack of memory can cause an exception with a reason code. Only a mistake in the program can
    cause one without.
    """
    if isinstance(error, VideoError):
        return error.reason
    if isinstance(error, MemoryError):
        return "out_of_memory"
    if isinstance(error, OSError):
        return "io_error"
    return "decode_error" if isinstance(error, _OF_THE_VIDEO) else None


def decode_video(task: VideoTask, heartbeat: Callable[[], None]) -> dict[str, Any]:
    """Decode every wanted frame of a video and write them to files.

    Writes ``<output>.frames.arrow`` (rows of FRAMES, ascending pts) and ``<output>.clip_frames.arrow``.

    Returns:
        ``video``: a row of VIDEO_FACTS; ``failures``: reason, error, clip_id or pts, and rows of each failure;
        ``notes``: sentences about the video's frames.

    Raises:
        VideoError: the video as a whole cannot be read; the reason is 'missing_video' when there is no file.
    """
    if task.path is None:
        raise VideoError(f"{task.video_id}: no video root had it at the last xmic prepare", reason="missing_video")
    failures: list[dict[str, Any]] = []
    wanted: dict[str, np.ndarray] = {}
    with waiting_calls(heartbeat), open_source(task, path_of(task.path), heartbeat) as source:
        # Frames are chosen in order of time, so that each chunk of a video is opened once. They are reported in the
        # order of the task.
        in_time = sorted(range(len(task.clips)), key=lambda number: task.clips[number].start_s)
        choices = {number: source.choose(task.clips[number], task.plan) for number in in_time}
        for number, clip in enumerate(task.clips):
            chosen = choices[number]
            wanted[clip.clip_id] = chosen.pts
            failures += [{**vars(failure), "clip_id": clip.clip_id} for failure in chosen.failures]
        delivered = _write_frames(task, source, wanted, failures, heartbeat)
        _write_clip_frames(task, wanted, delivered)
        facts = {"video_id": task.video_id, **source.facts()}
        return {"video": facts, "failures": failures, "notes": source.notes}


def _write_frames(
    task: VideoTask,
    source: FrameSource,
    wanted: dict[str, np.ndarray],
    failures: list[dict[str, Any]],
    heartbeat: Callable[[], None],
) -> set[int]:
    instants = Counter(int(pts) for chosen in wanted.values() for pts in chosen.flat)
    del instants[NO_FRAME]
    delivered: set[int] = set()
    batch: list[dict[str, Any]] = []
    with pa.OSFile(f"{task.output}.frames.arrow", "wb") as sink, pa.ipc.new_stream(sink, FRAMES) as stream:
        for frame in source.frames(set(instants), task.plan):
            heartbeat()
            if isinstance(frame, LostFrame):
                # Every instant of every clip that wanted this frame is without one.
                failures.append({**vars(frame.failure), "pts": frame.pts, "rows": instants[frame.pts]})
                continue
            delivered.add(frame.pts)
            batch.append({"video_id": task.video_id, **vars(frame)})
            if len(batch) == _BATCH:
                stream.write_table(pa.Table.from_pylist(batch, schema=FRAMES))
                batch = []
        if batch:
            stream.write_table(pa.Table.from_pylist(batch, schema=FRAMES))
    return delivered


def _write_clip_frames(task: VideoTask, wanted: dict[str, np.ndarray], delivered: set[int]) -> None:
    columns: dict[str, list[Any]] = {name: [] for name in CLIP_FRAMES.names}
    for clip_id, chosen in wanted.items():
        for (segment, candidate), pts in np.ndenumerate(chosen):
            if int(pts) in delivered:
                row = (clip_id, segment, candidate, task.video_id, int(pts))
                for name, value in zip(CLIP_FRAMES.names, row, strict=True):
                    columns[name].append(value)
    with (
        pa.OSFile(f"{task.output}.clip_frames.arrow", "wb") as sink,
        pa.ipc.new_stream(sink, CLIP_FRAMES) as stream,
    ):
        stream.write_table(pa.table(columns, schema=CLIP_FRAMES))
