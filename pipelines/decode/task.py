"""The task of a decoding worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from data_manifests.videos import Kind
from pipelines.decode.media_rules import USUAL, MediaRules
from pipelines.decode.plan import FramePlan
from pipelines.engine.clips import Clip


@dataclass(frozen=True)
class VideoTask:
    """All that a worker needs to decode one video.

    The worker reads no workspace and no Parquet.

    Attributes:
        video_id: The manifest's id.
        path: The file or folder; None when no root has it.
        kind: Form of the video on disk; see :data:`data_manifests.videos.Kind`.
        offset_s: Start of the video in the file or folder, in seconds.
        jpeg_rate: Frames per second of the numbering of JPEGs; None where unknown.
        duration_s: Length of the video in seconds, from the annotation; None where it has none.
        clips: Clips of the video.
        plan: Frame plan, which gives the instants of each clip.
        shares_file: Whether other videos of the split lie in the same file.
        output: Path of the worker's Arrow files, without their suffixes.
        indexes: Folder where the packet index of the file is kept for those other videos; empty for none.
        rules: What the media may ask for, and where they may lie.
    """

    video_id: str
    path: str | None
    kind: Kind
    offset_s: float
    jpeg_rate: float | None
    duration_s: float | None
    clips: Sequence[Clip]
    plan: FramePlan
    shares_file: bool = False
    output: str = ""
    indexes: str = ""
    rules: MediaRules = USUAL
