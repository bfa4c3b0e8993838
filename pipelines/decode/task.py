"""What a decoding worker is told."""

from __future__ import annotations

from dataclasses import dataclass

from data_manifests.videos import Kind
from pipelines.decode.plan import FramePlan
from pipelines.engine.clips import Clip


@dataclass(frozen=True)
class VideoTask:
    """What a worker needs to decode one video: no workspace, no Parquet, only this.

    Attributes:
        video_id: The manifest's id.
        path: The file or folder, or None when no root has it.
        kind: What stands there.
        offset_s: Where in it the video begins, in seconds.
        jpeg_rate: Frames a second by which JPEGs are numbered, None where that is not known.
        duration_s: The video's length as the annotation has it, in seconds, None where it has none.
        clips: Its clips.
        plan: Which instants of them.
        shares_file: Whether other videos of the split lie in the same file.
        output: Where the worker writes its Arrow files.
        indexes: A folder where the packet index of the file is kept for those others; empty for none.
    """

    video_id: str
    path: str | None
    kind: Kind
    offset_s: float
    jpeg_rate: float | None
    duration_s: float | None
    clips: list[Clip]
    plan: FramePlan
    shares_file: bool = False
    output: str = ""
    indexes: str = ""
