"""Open what stands for a video: a file, a folder of chunks, a folder or a tar of numbered JPEGs."""

from __future__ import annotations

from pathlib import Path

from pipelines.decode.chunk_source import ChunkSource
from pipelines.decode.jpeg_source import open_jpegs
from pipelines.decode.packet_index import Heartbeat
from pipelines.decode.source import FrameSource
from pipelines.decode.task import VideoTask
from pipelines.decode.video_source import VideoSource


def open_source(task: VideoTask, path: Path, heartbeat: Heartbeat) -> FrameSource:
    """Open what stands for a video.

    Raises:
        VideoError: It can not be read, or is not what its kind says.
    """
    indexes = Path(task.indexes) if task.indexes else None
    if task.kind == "chunks":
        return ChunkSource(path, task.offset_s, heartbeat, indexes)
    if task.kind in ("frames", "tar"):
        return open_jpegs(path, task.jpeg_rate, task.duration_s, heartbeat)
    return VideoSource(path, task.offset_s, heartbeat, indexes)
