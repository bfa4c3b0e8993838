"""Options of ``xmic decode`` and of ``[decode]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le

from pipelines.decode.media_rules import MAX_PIXELS
from pipelines.engine.options import Doc, Options

PLAN = "Frame plan (folder name). (default: the only one; among several, that of xmic decode without options)"
"""Help of ``--plan`` in every later command."""


@dataclass(frozen=True)
class DecodeOptions(Options):
    """Choice of the frames of a clip, and how they are stored.

    ``candidates`` None is 3 for train and 1 for other splits.
    """

    segments: Annotated[int, Ge(1), Doc("Equal segments of a clip, one frame each.")] = 16
    candidates: Annotated[
        int | None, Ge(1), Doc("Instants per segment to draw from. (default: 3 for train, else 1)")
    ] = None
    short_side: Annotated[int, Ge(0), Doc("Short side in pixels, never upscaled; 0 keeps the size.")] = 256
    quality: Annotated[int, Ge(1), Le(100), Doc("JPEG quality.")] = 95
    video_timeout: Annotated[float, Gt(0), Doc("Seconds without progress after which a video is given up.")] = 120.0
    max_pixels: Annotated[
        int, Ge(1), Doc("Most pixels of a frame; a larger one is refused before memory is taken for it.")
    ] = MAX_PIXELS
    strict_media: Annotated[
        bool,
        Doc("Refuse every frame in which the codec can detect a fault. Pictures are decoded twice. See docs/media.md."),
    ] = False
