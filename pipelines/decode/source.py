"""What frames come from: a video file, a folder of chunks of one, a folder or a tar of numbered JPEGs."""

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
    """Instants without a frame, or a frame that can not be delivered: reason code, error in words, how many rows."""

    reason: str
    error: str
    rows: int = 1


@dataclass(eq=False)
class FrameChoice:
    """The frame for each instant of a clip.

    Attributes:
        pts: int64 ``[segments, candidates]``, :data:`pipelines.decode.plan.NO_FRAME` where there is none.
        failures: Why there is none.
    """

    pts: np.ndarray
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True)
class StoredFrame:
    """One frame as it is kept.

    Attributes:
        pts: Its key within the video: ticks of the time base, or the number of a JPEG.
        time_s: Seconds from the start of the video; None where the rate of the JPEGs is not known.
        width: Pixels.
        height: Pixels.
        jpeg: The picture.
    """

    pts: int
    time_s: float | None
    width: int
    height: int
    jpeg: bytes


@dataclass(frozen=True)
class LostFrame:
    """A frame that was asked for and can not be delivered."""

    pts: int
    failure: Failure


class FrameSource(Protocol):
    """An open source of frames; a context manager."""

    def choose(self, clip: Clip, plan: FramePlan) -> FrameChoice:
        """The frames that stand for a clip's instants."""
        ...

    def frames(self, pts: Iterable[int], plan: FramePlan) -> Iterator[StoredFrame | LostFrame]:
        """The frames of that name, each once, in ascending order."""
        ...

    def facts(self) -> dict[str, Any]:
        """A row of :data:`pipelines.decode.tables.VIDEO_FACTS` without the video's id."""
        ...

    def __enter__(self) -> Self:
        """Give the source itself."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        ...
