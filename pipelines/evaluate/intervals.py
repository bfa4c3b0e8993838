"""How far an accuracy would move with other recordings: 95 % intervals by cluster bootstrap.

Clips of one recording share their kitchen, light and person, so recordings are drawn, not clips (Efron and Tibshirani,
An Introduction to the Bootstrap, 1993; percentile interval).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

DRAWS = 10_000
"""Resampled sets of recordings."""

Interval = tuple[float, float]
"""Low and high end in percent."""


def resampled(recordings: Mapping[str, Sequence[int]], seed: int = 0) -> np.ndarray:
    """The accuracy of each resampled set of recordings.

    Args:
        recordings: recording → (clips that are right, clips).
        seed: of the draws; two datasets that are resampled jointly take different ones.

    Returns:
        float64 [10000], percent; empty when there is no clip.
    """
    counts = np.array([recordings[name] for name in sorted(recordings)], np.float64).reshape(-1, 2)
    counts = counts[counts[:, 1] > 0]
    if not len(counts):
        return np.zeros(0)
    times = np.random.default_rng(seed).multinomial(len(counts), np.full(len(counts), 1 / len(counts)), DRAWS)
    right, clips = (times @ counts).T
    return 100 * right / clips


def interval(values: np.ndarray) -> Interval | None:
    """Between the 2.5th and the 97.5th percentile; None of no values."""
    if not len(values):
        return None
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def harmonic(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The harmonic mean of each pair of accuracies, 0 where either is 0; empty when either is empty."""
    if not len(own) or not len(other):
        return np.zeros(0)
    total = own + other
    return np.divide(2 * own * other, total, out=np.zeros_like(total), where=total > 0)
