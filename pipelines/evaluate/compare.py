"""Compare two methods by a paired cluster bootstrap with Holm correction.

Both sides have the same clips and draw the same recordings, so what they share (hard kitchens, dark videos) cancels.
With three seeds or more a side's seeds are drawn too, each side its own: equal seeds of two methods have nothing in
common.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from data_manifests.errors import InputError
from pipelines.evaluate.intervals import (
    CROSS,
    WITHIN,
    Interval,
    Kind,
    harmonic,
    interval,
    is_constant,
    multiplicities,
    wilson,
)

MIN_SEEDS = 3
"""Fewest seeds whose spread is resampled; of fewer seeds the mean is taken as it is."""

Seeds = Sequence[Mapping[str, Sequence[float]]]
"""Counts of each seed: recording → (clips that are right, clips)."""


@dataclass(frozen=True)
class Comparison:
    """Difference between two sides, with its interval and p value.

    Attributes:
        difference: in points.
        interval: 95 %, in points; None where drawing the recordings shows no spread of the difference.
        p: two-sided, of no difference; not corrected. None where there is no interval.
    """

    difference: float
    interval: Interval | None
    p: float | None


@dataclass(frozen=True)
class Side:
    """Runs of one method, one per seed, on one or two targets.

    Two targets are averaged harmonically.

    Attributes:
        targets: one or two targets, each with the counts of its seeds in the same order.
        streams: streams of random draws, one per target; see :attr:`pipelines.evaluate.metrics_file.Metrics.stream`.
            Numbers of one target have the same stream, so they are drawn together.
        parts: the targets are parts of one dataset, each with all of its recordings (those without a clip of the part
            too), and have the same stream.
    """

    targets: Sequence[Seeds]
    streams: Sequence[int] = (WITHIN, CROSS)
    parts: bool = False


def compare(one: Side, other: Side) -> Comparison | None:
    """Compare two sides; None where one has no clip.

    There is neither interval nor p value where all draws of the difference are equal, or a target has one recording.

    Raises:
        InputError: the two sides have different clips.
    """
    for mine, theirs in zip(one.targets, other.targets, strict=True):
        _refuse_unpaired([*mine, *theirs])
    if any(not seeds or not any(clips for _, clips in seeds[0].values()) for seeds in (*one.targets, *other.targets)):
        return None
    draws, difference = _draws(one, 0) - _draws(other, 1), point(one) - point(other)
    if is_constant(draws) or any(map(_one_recording, one.targets)):
        return Comparison(difference, None, None)
    ends = interval(draws)
    return None if ends is None else Comparison(difference, ends, p_value(draws))


def p_value(draws: np.ndarray) -> float:
    """Compute the two-sided p value of no difference, uncorrected.

    Args:
        draws: resampled differences; those that are not finite are left out.
    """
    draws = draws[np.isfinite(draws)]
    tail = min(np.count_nonzero(draws <= 0), np.count_nonzero(draws >= 0))
    return min(1.0, 2 * (int(tail) + 1) / (len(draws) + 1))


def side_interval(side: Side) -> tuple[Interval | None, Kind | None]:
    """Compute the 95 % interval of one side, and say how.

    Recordings are drawn and, with three seeds or more, seeds too. Where all draws are equal, or there is one recording,
    an accuracy has a Wilson interval and a harmonic mean none. A harmonic mean has none either where all draws of one
    of its accuracies are equal.

    Returns:
        The interval in percent and its kind; (None, None) without a clip.

    Raises:
        InputError: the seeds have different clips.
    """
    for seeds in side.targets:
        _refuse_unpaired(seeds)
    if any(not seeds or not any(clips for _, clips in seeds[0].values()) for seeds in side.targets):
        return None, None
    alone = [Side([seeds], [stream], side.parts) for seeds, stream in zip(side.targets, side.streams, strict=False)]
    if any(is_constant(_draws(one, 0)) or _one_recording(one.targets[0]) for one in alone):
        if len(alone) > 1:
            return None, "degenerate"
        return wilson(point(side), side.targets[0][0]), "wilson"
    return interval(_draws(side, 0)), "bootstrap"


def holm(p: Sequence[float]) -> list[float]:
    """Correct p values for their number (Holm, Scandinavian Journal of Statistics, 1979)."""
    order = sorted(range(len(p)), key=lambda index: p[index])
    corrected, highest = [0.0] * len(p), 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - place) * p[index]))
        corrected[index] = highest
    return corrected


def _one_recording(seeds: Seeds) -> bool:
    return sum(counts[1] > 0 for counts in seeds[0].values()) == 1


def _refuse_unpaired(runs: Seeds) -> None:
    first, *rest = ({name: counts[1] for name, counts in run.items()} for run in runs)
    for clips in rest:
        differing = sorted(name for name in {*first, *clips} if first.get(name) != clips.get(name))
        if differing:
            name = differing[0]
            raise InputError(
                f"the two sides are on other clips: recording {name} has {first.get(name, 0)} here and "
                f"{clips.get(name, 0)} there. Evaluate both with the same xmic evaluate --clips FILE."
            )


def point(side: Side) -> float:
    """Average a side's accuracy, or its harmonic mean, over the seeds, percent."""
    accuracies = [[_accuracy(run) for run in seeds] for seeds in side.targets]
    if len(accuracies) == 1:
        return float(np.mean(accuracies[0]))
    own, other = (np.array(values) for values in accuracies)
    return float(np.mean(harmonic(own, other)))


def _accuracy(run: Mapping[str, Sequence[float]]) -> float:
    right, clips = np.array(list(run.values()), np.float64).T
    return float(100 * right.sum() / clips.sum())


def _draws(side: Side, number: int) -> np.ndarray:
    """Compute the accuracy, or harmonic mean, of each draw, float64 [10000]: of every seed, then over the seeds."""
    of_seeds = [
        _of_every_seed(seeds, stream, all_names=side.parts)
        for seeds, stream in zip(side.targets, side.streams, strict=False)
    ]
    # Adding their sum keeps a draw without clips NaN, which the harmonic mean would take for 0.
    values = of_seeds[0] if len(of_seeds) == 1 else harmonic(*of_seeds) + 0 * (of_seeds[0] + of_seeds[1])
    seeds = values.shape[1]
    if seeds < MIN_SEEDS:
        mean: np.ndarray = values.mean(1)
        return mean
    # A run is one draw of its seed on both targets, so the seeds are drawn once for both.
    times = multiplicities(seeds, seed=100 + number)
    drawn: np.ndarray = (values * times).sum(1) / seeds
    return drawn


def _of_every_seed(seeds: Seeds, stream: int, *, all_names: bool) -> np.ndarray:
    """Compute accuracy in percent, float64 [10000, seeds], with the same recordings drawn for every seed.

    With ``all_names`` recordings without a clip are drawn too; a draw of such recordings alone is NaN.
    """
    names = sorted(name for name, counts in seeds[0].items() if counts[1] or all_names)
    right = np.array([[run[name][0] for name in names] for run in seeds], np.float64)
    clips = np.array([seeds[0][name][1] for name in names], np.float64)
    times = multiplicities(len(names), seed=stream)
    drawn_clips = times @ clips
    drawn_clips[drawn_clips == 0] = np.nan
    drawn: np.ndarray = 100 * (times @ right.T) / drawn_clips[:, None]
    return drawn
