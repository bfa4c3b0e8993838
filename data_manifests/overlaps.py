"""How much clips of one video overlap in time although their labels differ: such frames have two right answers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from data_manifests.schema import LABELS, Label


@dataclass(frozen=True)
class Overlap:
    """Clips that overlap a clip of another class.

    Attributes:
        clips: how many clips.
        share: of the labelled clips' time, the part that a clip of another class covers too.
    """

    clips: int
    share: float


def overlaps(clips: pa.Table) -> dict[Label, Overlap]:
    """Count them per label.

    Args:
        clips: rows of :data:`data_manifests.schema.CLIPS`; rows without a stop or the label are left out.
    """
    videos = clips.column("video_id").dictionary_encode().combine_chunks().indices.to_numpy()
    starts = clips.column("start_s").to_numpy()
    stops = clips.column("stop_s").fill_null(np.nan).to_numpy()
    found: dict[Label, Overlap] = {}
    for label in LABELS:
        labels = clips.column(f"{label}_class").fill_null(-1).to_numpy()
        kept = np.flatnonzero((labels >= 0) & np.isfinite(stops))
        order = kept[np.lexsort((starts[kept], videos[kept]))]
        bounds = np.flatnonzero(np.diff(videos[order], prepend=-1, append=-1))
        count, covered, total = 0, 0.0, 0.0
        for first, last in pairwise(bounds):
            rows = order[first:last]
            shared = _shared(starts[rows], stops[rows], labels[rows])
            count += int(np.count_nonzero(shared > 0))
            covered += float(shared.sum())
            total += float((stops[rows] - starts[rows]).sum())
        found[label] = Overlap(count, covered / total if total else 0.0)
    return found


def _shared(starts: np.ndarray, stops: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Seconds of each clip that clips of other labels cover; all of one video, in order of their starts."""
    shared = np.zeros(len(starts))
    longest = np.maximum.accumulate(stops)
    for row in range(len(starts)):
        # Only clips that start before this one stops, back to the first that may still run when it starts.
        first = int(np.searchsorted(longest, starts[row], side="right"))
        last = int(np.searchsorted(starts, stops[row], side="left"))
        others = np.arange(first, last)[labels[first:last] != labels[row]]
        reached = starts[row]
        for other in others:
            low, high = max(reached, starts[other]), min(stops[row], stops[other])
            if high > low:
                shared[row] += high - low
                reached = high
    return shared
