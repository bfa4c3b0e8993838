"""What is counted in the result of a cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

Part = dict[str, Any]
"""'clips', those that are 'right', and 'recordings': recording → [right, clips]."""


def counted(right: np.ndarray, recordings: Sequence[str]) -> Part:
    """How many clips are right, in all and by recording.

    Args:
        right: [M], 0 to 1: of a rule that draws, the chance that it is right.
        recordings: M ids.
    """
    by_recording: dict[str, list[float]] = {}
    for value, recording in zip(np.asarray(right, np.float64).tolist(), recordings, strict=True):
        counts = by_recording.setdefault(recording, [0.0, 0])
        counts[0] += value
        counts[1] += 1
    return {"clips": len(recordings), "right": float(np.sum(right)), "recordings": dict(sorted(by_recording.items()))}


def split_by_class(
    right: np.ndarray, truth: np.ndarray, recordings: Sequence[str], novel: Iterable[int]
) -> dict[str, Part]:
    """All clips of a target, and those of its shared and of its novel classes; all classes competed.

    Args:
        right: [M], 0 to 1.
        truth: [M], class indices.
        recordings: M ids.
        novel: the target's novel classes.
    """
    new = np.isin(truth, list(novel))
    parts = {"cross": np.ones(len(truth), bool), "shared": ~new, "novel": new}
    return {
        name: counted(right[kept], [recordings[row] for row in np.flatnonzero(kept).tolist()])
        for name, kept in parts.items()
    }
