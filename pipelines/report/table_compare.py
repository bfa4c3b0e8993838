"""Compare the methods of each table with a baseline.

The baseline is X-MIC or zero-shot, on the same clips.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from data_manifests.errors import InputError
from data_manifests.schema import LABELS
from pipelines.evaluate.compare import compare, holm
from pipelines.evaluate.intervals import Interval, between
from pipelines.report.table_cells import measured
from pipelines.report.table_groups import Group
from pipelines.report.table_plans import NORMS, compared_kinds, setting_of

_DEFAULTS = {1: "", 2: "", 3: "", 4: "streams=both", 6: "norms=n1"}
"""Setting of the X-MIC baseline; tables 5 and 7 compare with zero-shot of the same setting."""


@dataclass(frozen=True)
class Compared:
    """Difference between a row's number and its baseline's.

    Attributes:
        title: the row.
        against: the baseline.
        column: 'noun cross', …
        difference: in points; None where the two are on other clips.
        interval: 95 %, in points; None where drawing the recordings shows no spread of the difference.
        p: two-sided, not corrected; None where there is no interval.
        corrected: by Holm, for all comparisons of the table, so at least 0.0002 times their number (10,000 draws).
    """

    title: str
    against: str
    column: str
    difference: float | None = None
    interval: Interval | None = None
    p: float | None = None
    corrected: float | None = None

    @property
    def between(self) -> str:
        """Interval as text: '-1.2 to 0.4' or 'no interval'.

        It is empty where the two are on other clips.
        """
        if self.difference is None:
            return ""
        return between(self.interval, "bootstrap" if self.interval else "degenerate", " to ")

    @property
    def p_values(self) -> tuple[str, str]:
        """P value as text, not corrected and corrected.

        They are dashes where there is no interval.
        """
        p, holm = (("–" if value is None else f"{value:.4f}") for value in (self.p, self.corrected))
        return p, holm


def comparisons(table: int, groups: Sequence[Group]) -> Iterator[Compared]:
    """Compare the rows of a section with their baseline.

    The p values are not corrected yet.
    """
    for group in groups:
        other = _baseline(table, group, groups)
        if other is None or other is group:
            continue
        for label in LABELS:
            for kind in compared_kinds(table):
                mine, theirs = (measured(side.pairs, label, kind) for side in (group, other))
                if mine is None or theirs is None:
                    continue
                said = Compared(row_title(table, group), row_title(table, other), f"{label} {kind}")
                try:
                    found = compare(mine.side, theirs.side)
                except InputError:
                    yield said
                    continue
                if found:
                    yield replace(said, difference=found.difference, interval=found.interval, p=found.p)


def corrected(found: Sequence[Sequence[Compared]]) -> list[list[Compared]]:
    """Correct the p values of all comparisons of one table."""
    p = iter(holm([one.p for section in found for one in section if one.p is not None]))
    return [[one if one.p is None else replace(one, corrected=next(p)) for one in section] for section in found]


def row_title(table: int, group: Group) -> str:
    """Return a row's title, such as 'xmic (paper), norms=n1 n3'."""
    method = group.method_without(NORMS) if table == 6 else group.method
    return ", ".join(filter(None, (method, setting_of(table, group))))


def _baseline(table: int, group: Group, groups: Sequence[Group]) -> Group | None:
    def found(method: str, setting: str) -> list[Group]:
        return [other for other in groups if (other.run.method, setting_of(table, other)) == (method, setting)]

    if table in _DEFAULTS:
        candidates = found("xmic", _DEFAULTS[table]) or found("zero-shot", "")
    else:
        candidates = found("zero-shot", setting_of(table, group))
    return min(candidates, key=lambda other: _distance(group, other), default=None)


def _distance(group: Group, other: Group) -> list[bool]:
    """Rate how far two rows are from equal terms; among equals the baseline with default settings is nearest."""
    run, mine, theirs = other.run, group.protocol, other.protocol
    return [
        mine.get("encoder") != theirs.get("encoder"),
        group.run.recipe is not None and (run.recipe or group.run.recipe) != group.run.recipe,
        group.run.source_val != run.source_val,
        group.run.select != run.select,
        (mine.get("classify") or "full") != (theirs.get("classify") or "full"),
        run.preset != "official",
        run.recipe not in (None, "published"),
        run.select != "last",
        (theirs.get("classify") or "full") != "full",
    ]
