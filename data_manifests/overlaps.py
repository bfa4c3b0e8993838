"""Measure the time overlap of clips of one video with different labels.

A frame in such an overlap has two right answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from data_manifests.schema import LABELS, Label

_TOUCHING_S = 1e-6  # annotated seconds carry float noise: what overlaps for less follows, it does not overlap


@dataclass(frozen=True)
class Overlap:
    """Number and share of clips that overlap a clip of another class.

    Attributes:
        clips: number of clips that overlap a clip of another class.
        share: share of the labelled clips' time that a clip of another class covers too.
    """

    clips: int
    share: float


def overlaps(clips: pa.Table) -> dict[Label, Overlap]:
    """Count per label the clips that overlap another class.

    Args:
        clips: rows of :data:`data_manifests.schema.CLIPS`; rows without a stop or the label are left out.
    """
    videos = clips.column("video_id").dictionary_encode().combine_chunks().indices.to_numpy()
    starts = clips.column("start_s").to_numpy()
    stops = clips.column("stop_s").fill_null(np.nan).to_numpy()
    found: dict[Label, Overlap] = {}
    for label in LABELS:
        classes = clips.column(f"{label}_class").fill_null(-1).to_numpy()
        kept = np.flatnonzero((classes >= 0) & np.isfinite(stops))
        shared = _shared(videos[kept], classes[kept], starts[kept], stops[kept])
        total = float((stops[kept] - starts[kept]).sum())
        count = int(np.count_nonzero(shared > _TOUCHING_S))
        found[label] = Overlap(count, float(shared.sum()) / total if total else 0.0)
    return found


def _shared(videos: np.ndarray, classes: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Compute for each clip the seconds that clips of other classes cover.

    Only clips of the same video count; the result is ``[N]``. Inside a clip its own class is always present, so
    another class is present exactly where two classes are.
    """
    opened, closed = _class_changes(videos, classes, starts, stops)
    times = np.concatenate([starts, stops])
    order = np.lexsort((times, np.concatenate([videos, videos])))
    present = np.cumsum(np.concatenate([opened, -closed])[order])
    # Between the last time of a video and the first of the next no class is present.
    doubled = np.where(present[:-1] > 1, np.diff(times[order]), 0.0)
    until = np.zeros(len(times))
    until[order[1:]] = np.cumsum(doubled)
    return until[len(starts) :] - until[: len(starts)]


def _class_changes(
    videos: np.ndarray, classes: np.ndarray, starts: np.ndarray, stops: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mark where classes appear in a video and where they end.

    Returns two arrays ``[N]`` of 0 and 1. In the first, 1 means that the clip's class appears in the video with the
    clip's start. In the second, 1 means that the class ends with the clip's stop. Clips of one class that overlap or
    touch make one appearance.
    """
    rows = len(starts)
    opened, closed = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    if not rows:
        return opened, closed
    group = videos.astype(np.int64) * (int(classes.max()) + 1) + classes
    order = np.lexsort((starts, group))
    by_stop = np.argsort(stops)
    rank = np.empty(rows, np.int64)
    rank[by_stop] = np.arange(rows)
    # The clip that stops last among those so far; the group is the higher digit, so the maximum restarts with it.
    last = by_stop[np.maximum.accumulate(group[order] * rows + rank[order]) % rows]
    first = np.diff(group[order], prepend=-1) != 0
    first[1:] |= starts[order[1:]] > stops[last[:-1]]
    opened[order[first]] = 1
    closed[last[np.append(first[1:], True)]] = 1
    return opened, closed
