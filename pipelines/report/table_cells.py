"""Compute the cells of the paper's tables from our evaluations.

A cell is a mean over seeds with its interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from data_manifests.errors import InputError
from data_manifests.schema import Label
from pipelines.evaluate.compare import Side, point, side_interval
from pipelines.evaluate.intervals import Interval, Kind, between, too_few
from pipelines.evaluate.metrics_file import Counted, Counts, Metrics, PartNumbers
from pipelines.report.table_groups import Pair

RecordingCounts = Mapping[str, tuple[float, int]]
"""Recording → (clips that are right, clips)."""


@dataclass(frozen=True)
class PaperNumber:
    """Number that the paper prints.

    ``recomputed`` is the harmonic mean of the paper's own two numbers, where the printed one is wrong.
    """

    value: float
    recomputed: float | None = None


@dataclass(frozen=True)
class TableCell:
    """Number of ours with its spread and interval, beside the paper's.

    Attributes:
        value: percent, the mean over the seeds; None where there is none.
        sd: standard deviation over the seeds, percent; None of one seed.
        interval: 95 %, over recordings and, with three seeds or more, over seeds; None where there is none.
        interval_kind: how it was found, see :func:`pipelines.evaluate.compare.side_interval`; None for chance.
        evaluated: clips of one seed.
        official: clips that it should be over.
        few: fewer than 30 recordings or 100 clips: shown in grey.
        paper: the paper's number, where ours may be compared with it or where there is none of ours.
    """

    value: float | None = None
    sd: float | None = None
    interval: Interval | None = None
    interval_kind: Kind | None = None
    evaluated: int = 0
    official: int = 0
    few: bool = False
    paper: PaperNumber | None = None

    @property
    def partial(self) -> bool:
        """Return whether clips are missing from the number."""
        return self.evaluated < self.official

    @property
    def difference(self) -> float | None:
        """Difference of our number from the paper's, in points.

        Where the paper's harmonic mean is wrong, the recomputed one is used.
        """
        if self.value is None or self.paper is None:
            return None
        return self.value - (self.paper.value if self.paper.recomputed is None else self.paper.recomputed)

    @property
    def text(self) -> str:
        """Number as text with two decimals.

        A star marks missing clips, a dash a missing number.
        """
        return "–" if self.value is None else f"{self.value:.2f}" + "*" * self.partial

    @property
    def spread(self) -> str:
        """Standard deviation as '± 0.31', empty for one seed."""
        return "" if self.sd is None else f"± {self.sd:.2f}"

    @property
    def between(self) -> str:
        """Interval as text with its mark.

        It is empty without a number and for chance.
        """
        return between(self.interval, self.interval_kind)

    @property
    def paper_text(self) -> str:
        """Number of the paper as text, empty where there is none.

        A wrong harmonic mean is followed by '!' and the recomputed one.
        """
        if self.paper is None:
            return ""
        right = "" if self.paper.recomputed is None else f" ! {self.paper.recomputed:.2f}"
        return f"{self.paper.value:.2f}{right}"


@dataclass(frozen=True)
class Kept:
    """Clip counts of one number for one seed and target.

    ``stream`` is the stream of random draws that all numbers of the target use.
    """

    evaluated: int
    official: int
    recordings: RecordingCounts
    stream: int


@dataclass(frozen=True)
class Measured:
    """Number over all seeds: a side of a comparison, with its clips.

    ``exact`` marks chance, which no set of recordings changes: it has no interval.
    """

    side: Side
    kept: Sequence[Kept]
    exact: bool = False

    @property
    def cell(self) -> TableCell:
        """Cell with the number, its spread over seeds and its interval."""
        one_seed = [Side([[seeds[index]] for seeds in self.side.targets]) for index in range(self.seeds)]
        values = [point(side) for side in one_seed]
        try:
            ends, found_by = (None, None) if self.exact else side_interval(self.side)
        except InputError:  # Seeds on other clips: no set of recordings is common to them.
            ends, found_by = None, None
        return TableCell(
            float(np.mean(values)),
            float(np.std(values, ddof=1)) if len(values) > 1 else None,
            ends,
            found_by,
            sum(one.evaluated for one in self.kept) // self.seeds,
            sum(one.official for one in self.kept) // self.seeds,
            not self.exact and any(too_few(seeds[0]) for seeds in self.side.targets),
        )

    @property
    def seeds(self) -> int:
        """Number of seeds."""
        return len(self.side.targets[0])


def measured(pairs: Sequence[Pair], label: Label, kind: str) -> Measured | None:
    """Measure one number of a group over its seeds.

    It is None where a seed has no such number, or no clip.

    Args:
        pairs: of a group, one per seed.
        label: 'noun' or 'verb'.
        kind: 'within', 'cross' or 'hm'; or of the cross target 'shared', 'novel', 'shared-novel hm' or 'novel called
            shared'. 'all ' before one of the first three means that all classes compete.
    """
    return _measured([[_of_run(metrics, label) for metrics in pair] for pair in pairs], kind)


def measured_reference(pair: Pair, label: Label, name: str, kind: str) -> Measured | None:
    """Measure the same number of a reference row, without seeds."""
    found = _measured([[_of_reference(metrics, label, name) for metrics in pair]], kind)
    return replace(found, exact=name == "chance") if found else None


@dataclass(frozen=True)
class _Source:
    """Clip counts of a method or a reference in one evaluation."""

    all: Kept
    counts: Counts
    parts: Mapping[str, PartNumbers | None]
    called: Counted | None = None


def _of_run(metrics: Metrics | None, label: Label) -> _Source | None:
    numbers = metrics.labels.get(label) if metrics else None
    if metrics is None or numbers is None:
        return None
    return _Source(_kept(metrics, numbers), numbers, numbers.parts, numbers.novel_called_shared)


def _of_reference(metrics: Metrics | None, label: Label, name: str) -> _Source | None:
    numbers = metrics.labels.get(label) if metrics else None
    reference = numbers.references.get(name) if numbers else None
    return _Source(_kept(metrics, reference), reference, reference.parts) if metrics and reference else None


def _kept(metrics: Metrics, counts: Counts) -> Kept:
    return Kept(counts.n_evaluated, counts.n_official, counts.recordings, metrics.stream)


def _measured(seeds: Sequence[Sequence[_Source | None]], kind: str) -> Measured | None:
    if kind in ("within", "cross", "hm"):
        places = {"within": (0,), "cross": (1,), "hm": (0, 1)}[kind]
        whole = [[source.all if (source := pair[place]) else None for pair in seeds] for place in places]
        return _side(whole, parts=False)
    form = "unrestricted" if kind.startswith("all ") else "restricted"
    what = kind.removeprefix("all ")
    wanted = {"shared": ("shared",), "novel": ("novel",), "novel called shared": ("called",)}
    names = wanted.get(what, ("shared", "novel"))
    parts = [[_part(pair[1], name, form) for pair in seeds] for name in names]
    return _side(parts, parts=True)


def _part(source: _Source | None, name: str, form: str) -> Kept | None:
    if source is None:
        return None
    part = source.parts.get(name)
    counted = source.called if name == "called" else getattr(part, form) if part else None
    if counted is None:
        return None
    return Kept(counted.n_evaluated, counted.n_official, source.counts.of_part(counted), source.all.stream)


def _side(targets: Sequence[Sequence[Kept | None]], *, parts: bool) -> Measured | None:
    kept = [one for seeds in targets for one in seeds if one is not None and one.evaluated]
    if len(kept) < sum(len(seeds) for seeds in targets):
        return None
    count = len(targets[0])
    places = range(0, len(kept), count)
    sides = [[one.recordings for one in kept[start : start + count]] for start in places]
    return Measured(Side(sides, [kept[start].stream for start in places], parts), kept)
