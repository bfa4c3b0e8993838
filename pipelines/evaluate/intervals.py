"""Compute 95 % intervals of accuracies by cluster bootstrap over recordings.

Clips of one recording share their kitchen, light and person, so recordings are drawn, not clips (Efron and Tibshirani,
An Introduction to the Bootstrap, 1993; percentile interval).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

DRAWS = 10_000
"""Number of resampled sets of recordings."""

MIN_RECORDINGS, MIN_CLIPS = 30, 100
"""With fewer, a bootstrap interval is too narrow to trust: such numbers are shown in grey."""

WITHIN, CROSS = 0, 1
"""Streams of random draws: of a target within the run's own dataset, and of one in another dataset. They differ, so
that the two accuracies of a harmonic mean are resampled independently."""

Interval = tuple[float, float]
"""Low and high end in percent."""


def too_few(recordings: Mapping[str, Sequence[float]]) -> bool:
    """Return whether recordings or clips are too few for an interval.

    Too few are below :data:`MIN_RECORDINGS` recordings or :data:`MIN_CLIPS` clips.

    Args:
        recordings: recording → (clips that are right, clips).
    """
    clips = [counts[1] for counts in recordings.values() if counts[1]]
    return len(clips) < MIN_RECORDINGS or sum(clips) < MIN_CLIPS


@lru_cache(maxsize=4)
def multiplicities(count: int, seed: int) -> np.ndarray:
    """Draw ``count`` items with replacement and count each.

    Returns:
        float64 [10000, count], read-only.
    """
    times = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), DRAWS).astype(np.float64)
    times.setflags(write=False)
    return times


def resampled(
    recordings: Mapping[str, Sequence[float]], stream: int = WITHIN, *, all_names: bool = False
) -> np.ndarray:
    """Compute the accuracy of each resampled set of recordings.

    Args:
        recordings: recording → (clips that are right, clips).
        stream: :data:`WITHIN` or :data:`CROSS`; the numbers of one evaluation take theirs through
            :meth:`pipelines.evaluate.metrics_file.Metrics.interval`.
        all_names: draw recordings without a clip too; a draw of such recordings alone is NaN.

    Returns:
        float64 [10000], percent; empty when there is no clip.
    """
    counts = np.array([recordings[name] for name in sorted(recordings)], np.float64).reshape(-1, 2)
    if not counts[:, 1].any():
        return np.zeros(0)
    if not all_names:
        counts = counts[counts[:, 1] > 0]
    right, clips = (multiplicities(len(counts), stream) @ counts).T
    return np.divide(100 * right, clips, out=np.full_like(clips, np.nan), where=clips > 0)


def interval(values: np.ndarray) -> Interval | None:
    """Compute the 2.5th and 97.5th percentile of the finite values.

    A draw without clips is NaN and left out. The interval is None without a finite value.
    """
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def harmonic(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Compute the harmonic mean of each pair of accuracies.

    It is 0 where either is 0. The result is empty where either array is empty.
    """
    if not len(own) or not len(other):
        return np.zeros(0)
    total = own + other
    return np.divide(2 * own * other, total, out=np.zeros_like(total), where=total > 0)
