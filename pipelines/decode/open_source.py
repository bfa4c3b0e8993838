"""Open the frame source of a video by its kind.

A source is a video file, a folder of chunks, or a folder or tar of numbered JPEGs.
"""

from __future__ import annotations

from pathlib import Path

from pipelines.decode.chunk_source import ChunkSource
from pipelines.decode.jpeg_source import open_jpegs
from pipelines.decode.packet_index import Heartbeat
from pipelines.decode.source import FrameSource
from pipelines.decode.task import VideoTask
from pipelines.decode.video_source import VideoSource


def open_source(task: VideoTask, path: Path, heartbeat: Heartbeat) -> FrameSource:
    """Open the frame source of a video by its kind.

    Raises:
        VideoError: The file or folder cannot be read, is not of the task's kind, or breaks its rules.
    """
    task.rules.refuse_outside(path)
    indexes = Path(task.indexes) if task.indexes else None
    if task.kind == "chunks":
        return ChunkSource(path, task.offset_s, heartbeat, indexes, task.rules)
    if task.kind in ("frames", "tar"):
        return open_jpegs(path, task.jpeg_rate, task.duration_s, heartbeat, task.rules)
    return VideoSource(path, task.offset_s, heartbeat, indexes, task.rules)
