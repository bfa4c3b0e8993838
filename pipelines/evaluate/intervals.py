"""Compute 95 % intervals of accuracies over recordings.

Clips of one recording share their kitchen, light and person, so recordings are drawn, not clips (Efron and Tibshirani,
An Introduction to the Bootstrap, 1993; percentile interval).

Where all draws are equal the bootstrap is degenerate: no clip or every clip is right, or there is one recording. Then
an accuracy has a Wilson interval (Wilson, Journal of the American Statistical Association 22, 1927) on the effective
number of recordings (Kish, Survey Sampling, 1965). A harmonic mean or a difference has no interval then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import Literal

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

Kind = Literal["bootstrap", "wilson", "degenerate"]
"""How an interval was found. 'degenerate': there is none, because all draws of a mean or difference are equal."""

MARKS: dict[Kind, str] = {"bootstrap": "", "wilson": " w", "degenerate": "no interval"}
"""What a table shows behind the interval of each kind, or in its place."""

LEGEND = (
    "w: Wilson interval on the effective number of recordings, where drawing them shows no spread (no clip or every "
    "clip is right, or there is one recording). no interval: a harmonic mean or a difference without such a spread. "
    "Chance is exact."
)
"""Meaning of :data:`MARKS`, for the legend of a table."""

_ROUNDING = 1e-9
_Z = NormalDist().inv_cdf(0.975)


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


def is_constant(values: np.ndarray) -> bool:
    """Return whether all finite values are equal, up to rounding.

    False where no value is finite.
    """
    values = values[np.isfinite(values)]
    return bool(len(values)) and float(np.ptp(values)) < _ROUNDING


def is_degenerate(recordings: Mapping[str, Sequence[float]]) -> bool:
    """Return whether all resampled sets of recordings have the same accuracy.

    So it is where no clip or every clip is right, and with one recording. False without a clip.

    Args:
        recordings: recording → (clips that are right, clips).
    """
    counts = [counts for counts in recordings.values() if counts[1]]
    right, clips = sum(count[0] for count in counts), sum(count[1] for count in counts)
    return bool(counts) and all(abs(count[0] * clips - right * count[1]) < _ROUNDING for count in counts)


def wilson(accuracy: float, recordings: Mapping[str, Sequence[float]]) -> Interval:
    """Compute the 95 % Wilson interval on the effective number of recordings.

    How alike the clips of a recording are cannot be seen where all recordings agree. They are taken to be wholly alike,
    which gives the widest interval: a recording counts as one observation, and n is the effective number of recordings
    of unequal size, (Σ clips)² / Σ clips². With one recording n is 1.

    Args:
        accuracy: percent.
        recordings: recording → (clips that are right, clips); one clip or more.
    """
    sizes = [counts[1] for counts in recordings.values()]
    share, n = accuracy / 100, sum(sizes) ** 2 / sum(size**2 for size in sizes)
    middle = share + _Z**2 / (2 * n)
    half = _Z * (share * (1 - share) / n + _Z**2 / (4 * n**2)) ** 0.5
    low, high = ((middle + end) / (1 + _Z**2 / n) for end in (-half, half))
    return max(0.0, 100 * low), min(100.0, 100 * high)


def between(ends: Interval | None, kind: Kind | None, to: str = "–") -> str:
    """Format an interval for a table: '12.0–30.5', '0.0–39.0 w', 'no interval'.

    It is empty where there is no number.
    """
    said = f"{ends[0]:.1f}{to}{ends[1]:.1f}" if ends else ""
    return said + MARKS[kind] if kind else said


def harmonic(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Compute the harmonic mean of each pair of accuracies.

    It is 0 where either is 0. The result is empty where either array is empty.
    """
    if not len(own) or not len(other):
        return np.zeros(0)
    total = own + other
    return np.divide(2 * own * other, total, out=np.zeros_like(total), where=total > 0)
