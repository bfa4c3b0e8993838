"""What a decoding worker process does: one video in, two Arrow files out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.decode.encode_jpeg import to_jpeg
from pipelines.decode.reader import VideoError, VideoReader, open_video
from pipelines.decode.tables import CLIP_FRAMES, FRAMES
from pipelines.decode.task import VideoTask

_BATCH = 64
_NOWHERE = np.iinfo(np.int64).min


def reason_of(error: BaseException) -> str:
    """The reason code of an exception that left :func:`decode_video`."""
    if isinstance(error, VideoError):
        return error.reason
    if isinstance(error, MemoryError):
        return "out_of_memory"
    return "io_error" if isinstance(error, OSError) else "decode_error"


def decode_video(task: VideoTask, heartbeat: Callable[[], None]) -> dict[str, Any]:
    """Decode every wanted frame of a video.

    Writes ``<output>.frames.arrow`` (rows of FRAMES, ascending pts) and ``<output>.clip_frames.arrow``.

    Returns:
        ``video``: a row of VIDEO_FACTS; ``failures``: reason, error, clip_id, pts and rows of what is missing.

    Raises:
        VideoError: the video as a whole can not be read; reason 'missing_video' when there is no file.
    """
    if task.path is None:
        raise VideoError(f"{task.video_id}: no video root has it", reason="missing_video")
    with open_video(Path(task.path), heartbeat=heartbeat) as reader:
        heartbeat()
        failures: list[dict[str, Any]] = []
        wanted = _wanted(task, reader, failures)
        delivered = _write_frames(task, reader, wanted, failures, heartbeat)
        _write_clip_frames(task, wanted, delivered)
        return {"video": _facts(task.video_id, reader), "failures": failures}


def _wanted(task: VideoTask, reader: VideoReader, failures: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """The pts each clip takes, int64 [segments, candidates], _NOWHERE where the video has no such instant."""
    wanted: dict[str, np.ndarray] = {}
    for clip_id, start_s, stop_s in task.clips:
        stop = reader.info.duration_s if stop_s is None else stop_s
        if stop <= start_s:
            error = f"the clip starts at {start_s:.3f} s, the video ends at {reader.info.duration_s:.3f} s"
            count = task.plan.segments * task.plan.candidates
            failures.append({"reason": "past_end", "error": error, "clip_id": clip_id, "rows": count})
            wanted[clip_id] = np.full((task.plan.segments, task.plan.candidates), _NOWHERE)
            continue
        times = task.plan.times(start_s, stop)
        chosen = reader.select(times.reshape(-1))
        pts, past_end = chosen.pts.reshape(times.shape).copy(), chosen.past_end.reshape(times.shape)
        if past_end.any():
            error = (
                f"{int(past_end.sum())} of {past_end.size} instants, the first at {times[past_end][0]:.3f} s, "
                f"are past the end of the video at {reader.info.duration_s:.3f} s"
            )
            failures.append({"reason": "past_end", "error": error, "clip_id": clip_id, "rows": int(past_end.sum())})
            pts[past_end] = _NOWHERE
        wanted[clip_id] = pts
    return wanted


def _write_frames(
    task: VideoTask,
    reader: VideoReader,
    wanted: dict[str, np.ndarray],
    failures: list[dict[str, Any]],
    heartbeat: Callable[[], None],
) -> set[int]:
    distinct = sorted({int(pts) for chosen in wanted.values() for pts in chosen.flat} - {_NOWHERE})
    delivered: set[int] = set()
    batch: list[dict[str, Any]] = []
    with pa.OSFile(f"{task.output}.frames.arrow", "wb") as sink, pa.ipc.new_stream(sink, FRAMES) as stream:
        for frame in reader.frames(distinct, short_side=task.plan.short_side):
            height, width = frame.rgb.shape[:2]
            batch.append(
                {
                    "video_id": task.video_id,
                    "pts": frame.pts,
                    "time_s": frame.time_s,
                    "width": width,
                    "height": height,
                    "jpeg": to_jpeg(frame.rgb, task.plan.quality),
                }
            )
            delivered.add(frame.pts)
            heartbeat()
            if len(batch) == _BATCH:
                stream.write_table(pa.Table.from_pylist(batch, schema=FRAMES))
                batch = []
        if batch:
            stream.write_table(pa.Table.from_pylist(batch, schema=FRAMES))
    for pts in distinct:
        if pts not in delivered:
            error = f"the frame at pts {pts} is damaged, or predicted from one that is"
            failures.append({"reason": "decode_error", "error": error, "pts": pts, "rows": 1})
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


def _facts(video_id: str, reader: VideoReader) -> dict[str, Any]:
    info = reader.info
    return {
        "video_id": video_id,
        "codec": info.codec,
        "width": info.width,
        "height": info.height,
        "rotation": info.rotation,
        "time_base_numerator": info.time_base.numerator,
        "time_base_denominator": info.time_base.denominator,
        "first_pts": info.first_pts,
        "duration_s": info.duration_s,
        "average_rate": info.average_rate,
        "read_mode": reader.mode,
        "fallback": reader.fallback,
    }
