"""What a decoding worker is told."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.decode.plan import FramePlan


@dataclass(frozen=True)
class VideoTask:
    """What a worker needs to decode one video: no workspace, no Parquet, only this.

    Attributes:
        path: the file, or None when no root has it.
        clips: (clip_id, start in seconds, stop in seconds or None for the end of the file).
        output: where the worker writes its Arrow files.
    """

    video_id: str
    path: str | None
    clips: list[tuple[str, float, float | None]]
    plan: FramePlan
    output: str
