"""Interface of frame sources, and the frames and failures they give.

A source is a video file, a folder of chunks, or a folder or tar of numbered pictures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np

from pipelines.decode.plan import FramePlan
from pipelines.engine.clips import Clip


@dataclass(frozen=True)
class Failure:
    """Instants without a frame, or a frame that cannot be delivered.

    Attributes:
        reason: Reason code.
        error: The error in words.
        rows: Number of failed rows.
    """

    reason: str
    error: str
    rows: int = 1


@dataclass(eq=False)
class FrameChoice:
    """The frame for each instant of a clip.

    Attributes:
        pts: int64 ``[segments, candidates]``, :data:`pipelines.decode.plan.NO_FRAME` where there is none.
        failures: The failures of the instants without a frame.
    """

    pts: np.ndarray
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True)
class StoredFrame:
    """One frame as it is stored.

    Attributes:
        pts: Its key within the video: ticks of the time base, or the number of a JPEG.
        time_s: Seconds from the start of the video; None where the frame rate of the JPEGs is not known.
        width: Width in pixels.
        height: Height in pixels.
        jpeg: Bytes of the JPEG.
    """

    pts: int
    time_s: float | None
    width: int
    height: int
    jpeg: bytes


@dataclass(frozen=True)
class LostFrame:
    """A wanted frame that cannot be delivered."""

    pts: int
    failure: Failure


class FrameSource(Protocol):
    """An open source of frames; a context manager.

    Attributes:
        notes: Sentences about its frames as a whole that the user should read once.
    """

    notes: list[str]

    def choose(self, clip: Clip, plan: FramePlan) -> FrameChoice:
        """Choose the frame for each instant of a clip."""
        ...

    def frames(self, pts: Iterable[int], plan: FramePlan) -> Iterator[StoredFrame | LostFrame]:
        """Read the frames with the given pts, each once, in ascending order."""
        ...

    def facts(self) -> dict[str, Any]:
        """Return a row of :data:`pipelines.decode.tables.VIDEO_FACTS` without the video id."""
        ...

    def __enter__(self) -> Self:
        """Return the source itself."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the source."""
        ...
