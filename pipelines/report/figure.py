"""Lay out top-1 accuracies as bars.

Heights are in pixels and widths in percent of the drawing's own width, so that text keeps its size on any screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from data_manifests.schema import LABELS
from pipelines.report.axis import axis_end
from pipelines.report.collect import Cell, Row

FULL = 80.0
"""Percent of the width that the longest possible bar takes; the rest is for the number behind it."""
BAR = 14
_PANEL, _RUN, _PLACE, _AFTER, _AXIS = 30, 38, 17, 6, 26
_BETWEEN_RUNS = 10
_LONGEST_NAME = 44


@dataclass(frozen=True)
class Bar:
    """Bar of one accuracy: position, length and texts.

    ``y`` is its top in pixels, ``length`` is in percent of the width.
    """

    y: int
    length: float
    place: str
    value: str
    kind: str


@dataclass(frozen=True)
class Group:
    """Bars of one run."""

    y: int
    method: str
    run: str
    bars: Sequence[Bar]


@dataclass(frozen=True)
class Panel:
    """All bars of one label over one axis.

    ``ticks`` are (place in percent of the width, text).
    """

    label: str
    top: int
    bottom: int
    groups: Sequence[Group]
    ticks: Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Figure:
    """Panels of the drawing, and its description in words."""

    height: int
    description: str
    panels: Sequence[Panel]


def draw(rows: Sequence[Row]) -> Figure:
    """Lay out one panel per label, one group of bars per run."""
    by_run: dict[str, list[Row]] = {}
    for row in rows:
        by_run.setdefault(row.name, []).append(row)
    panels, words, y = [], [], 0
    for label in LABELS:
        values = [cell.value for row in rows for cell in _top1(row, label) if cell.value is not None]
        if not values:
            continue
        limit, top, groups = axis_end(max(values)), y, []
        y += _PANEL
        for name, own in by_run.items():
            start, bars = y, []
            y += _RUN
            for kind, place, value, text in _bars_of(own, label):
                bars.append(Bar(y + _PLACE, FULL * value / limit, place, f"{text} %", kind))
                words.append(f"{label}, {name}, {kind} {place}: {text} %")
                y += _PLACE + BAR + _AFTER
            if bars:
                groups.append(Group(start, own[0].method, _shortened(name), bars))
                y += _BETWEEN_RUNS
            else:
                y = start
        ticks = [(FULL * share, f"{limit * share:g} %") for share in (0, 0.5, 1)]
        panels.append(Panel(label, top, y, groups, ticks))
        y += _AXIS
    return Figure(y, "; ".join(words) or "nothing evaluated", panels)


def _top1(row: Row, label: str) -> tuple[Cell, Cell]:
    return row.cells[f"{label} within"], row.cells[f"{label} cross"]


def _bars_of(rows: Sequence[Row], label: str) -> list[tuple[str, str, float, str]]:
    # A run's own dataset stands beside each of its cross targets in the table, but once here.
    found: dict[tuple[str, str], tuple[str, str, float, str]] = {}
    for kind in ("within", "cross"):
        for row in rows:
            place, cell = (row.within if kind == "within" else row.cross), row.cells[f"{label} {kind}"]
            if place is not None and cell.value is not None:
                found.setdefault((kind, str(place)), (kind, str(place), cell.value, cell.text))
    return list(found.values())


def _shortened(name: str) -> str:
    # The end of a run's name is its key, which tells two of the same method apart.
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 13]}…{name[-12:]}"
