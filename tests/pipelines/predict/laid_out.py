"""Lay clips out as the answers of one video."""

from __future__ import annotations

from collections.abc import Iterable

from pipelines.predict.answer import ClipAnswers
from pipelines.predict.lanes import Clips, Lanes


def lanes_of(clips: Iterable[ClipAnswers], duration_s: float, none_below: float | None) -> Lanes:
    found = Clips()
    for clip in clips:
        found.add(clip)
    return found.lanes(duration_s, none_below)
