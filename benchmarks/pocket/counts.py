"""What is counted in the result of a cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.evaluate.intervals import harmonic, multiplicities

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


def drawn_by_seed(parts: Mapping[int, Part], recordings: Sequence[tuple[int, str]], stream: int) -> np.ndarray:
    """The accuracy of each seed in each resampled set of the recordings of all seeds together.

    Args:
        parts: seed → counts.
        recordings: (seed, recording) of all that are drawn, those without a clip of the part too.
        stream: of the draws; two numbers that are drawn together have the same.

    Returns:
        float64 [10000, seeds], percent; NaN where a draw has no clip of a seed.
    """
    times = multiplicities(len(recordings), stream)
    columns = []
    for seed, part in parts.items():
        own = [part["recordings"].get(name, (0, 0)) if of == seed else (0, 0) for of, name in recordings]
        right, clips = (times @ np.array(own, np.float64).reshape(-1, 2)).T
        columns.append(np.divide(100 * right, clips, out=np.full_like(right, np.nan), where=clips > 0))
    return np.stack(columns, 1)


def harmonics_drawn(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The mean of the harmonic mean of two numbers over the seeds that have one; NaN in a draw without clips of a seed.

    Args:
        own: from :func:`drawn_by_seed`.
        other: likewise, of the same seeds.
    """
    # Adding their sum keeps a draw without clips NaN, which the harmonic mean would take for 0.
    values = harmonic(own, other) + 0 * (own + other)
    mean: np.ndarray = values[:, ~np.isnan(values).all(0)].mean(1)
    return mean
