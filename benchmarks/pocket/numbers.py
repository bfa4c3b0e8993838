"""Numbers of the tables: accuracies over seeds and their differences, with intervals over recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.pocket.counts import Part, drawn_by_seed, harmonics_drawn
from pipelines.evaluate.intervals import interval, resampled
from pipelines.evaluate.metrics import harmonic_mean

COLUMNS = ("within", "cross", "hm", "shared", "novel")
_DRAWS_OF = {"within": 0, "cross": 1, "shared": 1, "novel": 1}

MEANING = (
    "Top-1 accuracy over test clips in percent: mean ± standard deviation over seeds, then a 95 % cluster-bootstrap "
    "interval over the recordings of all seeds together. A seed draws the world and the training."
)
"""Of a number in a report."""

Entry = dict[str, Any]
"""A label's part of a result."""


@dataclass(frozen=True)
class Value:
    """A number over seeds, all in percent (or points).

    Attributes:
        mean: of the seeds.
        deviation: standard deviation over seeds; None of one seed.
        bounds: 95 % interval over recordings, those of all seeds together; None where there is no clip.
    """

    mean: float
    deviation: float | None
    bounds: tuple[float, float] | None

    def __str__(self) -> str:
        spread = "" if self.deviation is None else f" ± {self.deviation:.1f}"
        ends = "" if self.bounds is None else f" [{self.bounds[0]:.1f}, {self.bounds[1]:.1f}]"
        return f"{self.mean:.1f}{spread}{ends}"


def value(found: dict[int, Entry], column: str) -> Value | None:
    """A column of a row: seed → entry becomes one number; None where there is no clip."""
    of_seeds = [number for entry in found.values() if (number := _accuracy(entry, column)) is not None]
    if not of_seeds:
        return None
    return over_seeds(of_seeds, draws(found, column))


def difference(one: dict[int, Entry], other: dict[int, Entry], column: str) -> Value | None:
    """One row minus another, over the seeds that have both, the same recordings drawn for both."""
    both = [seed for seed in one if seed in other]
    mine, theirs = ({seed: row[seed] for seed in both} for row in (one, other))
    points = [
        a - b
        for seed in both
        if (a := _accuracy(mine[seed], column)) is not None and (b := _accuracy(theirs[seed], column)) is not None
    ]
    if not points:
        return None
    return over_seeds(points, draws(mine, column) - draws(theirs, column))


def draws(found: dict[int, Entry], column: str) -> np.ndarray:
    """The accuracy of each resampled set of recordings, those of all seeds pooled; of a harmonic mean the mean over the
    seeds, which is not that of pooled accuracies."""
    if column == "hm":
        both = []
        for part in ("within", "cross"):
            parts = {seed: entry[part] for seed, entry in found.items()}
            names = [(seed, name) for seed, one in parts.items() for name in one["recordings"]]
            both.append(drawn_by_seed(parts, names, _DRAWS_OF[part]))
        return harmonics_drawn(*both)
    pooled = {
        f"{seed}/{recording}": counts
        for seed, entry in found.items()
        for recording, counts in entry[column]["recordings"].items()
    }
    return resampled(pooled, _DRAWS_OF[column])


def _accuracy(entry: Entry, column: str) -> float | None:
    return harmonic_of(entry["within"], entry["cross"]) if column == "hm" else accuracy_of(entry[column])


def accuracy_of(part: Part) -> float | None:
    """In percent; None where there is no clip."""
    return 100 * part["right"] / part["clips"] if part["clips"] else None


def harmonic_of(one: Part, other: Part) -> float | None:
    """The harmonic mean of two accuracies, None where either has no clip."""
    own, beside = accuracy_of(one), accuracy_of(other)
    return None if own is None or beside is None else harmonic_mean(own, beside)


def over_seeds(of_seeds: Sequence[float], drawn: np.ndarray) -> Value:
    """Put a number of each seed, at least one, and what was drawn into one value."""
    deviation = float(np.std(of_seeds, ddof=1)) if len(of_seeds) > 1 else None
    return Value(float(np.mean(of_seeds)), deviation, interval(drawn))


def in_cell(number: Value | None) -> str:
    """As a cell of a table."""
    return "–" if number is None else str(number)
