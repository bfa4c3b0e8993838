"""Lay out accuracies on shared and novel classes as dots with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from data_manifests.schema import LABELS
from pipelines.report.axis import axis_end
from pipelines.report.table_cells import TableCell
from pipelines.report.tables import Table

FULL = 88.0
"""Percent of the width that the axis takes; the rest is for its last number."""
_HEAD, _TITLE, _LINE, _BETWEEN, _AXIS = 30, 22, 34, 18, 30
_SHOWN = (
    ("shared", "shared", "restricted"),
    ("novel", "novel", "restricted"),
    ("all shared", "shared", "all classes compete"),
    ("all novel", "novel", "all classes compete"),
)

_Found = list[tuple[str, str, float, TableCell]]


@dataclass(frozen=True)
class Dot:
    """Dot of one accuracy with its interval.

    ``y`` is in pixels. ``x``, ``low`` and ``high`` are in percent of the width. ``few`` is set over fewer than 30
    recordings or 100 clips.
    """

    y: int
    x: float
    low: float
    high: float
    part: str
    words: str
    few: bool


@dataclass(frozen=True)
class PartsPanel:
    """Dots of one label and direction over one axis.

    ``titles`` are (y, text) and ``ticks`` (x, text).
    """

    title: str
    height: int
    titles: Sequence[tuple[int, str]]
    dots: Sequence[Dot]
    ticks: Sequence[tuple[float, str]]
    description: str


def draw_parts(tables: Sequence[Table]) -> list[PartsPanel]:
    """Lay out one panel per label and section of Table 2.

    Without a Table 2 there are no panels.
    """
    sections = [section for table in tables if table.number == 2 for section in table.sections]
    panels = []
    for section in sections:
        for label in LABELS:
            rows = [
                (row.title, found)
                for row in section.rows
                if row.kind == "ours" and (found := _numbers(row.cells, label))
            ]
            if rows:
                panels.append(_panel(f"{label}, {section.title}", rows))
    return panels


def _numbers(cells: Mapping[str, TableCell], label: str) -> _Found:
    found: _Found = []
    for kind, part, form in _SHOWN:
        cell = cells[f"{label} {kind}"]
        if cell.value is not None:
            found.append((part, form, cell.value, cell))
    return found


def _panel(title: str, rows: Sequence[tuple[str, _Found]]) -> PartsPanel:
    ends = [cell.interval[1] if cell.interval else value for _, found in rows for _, _, value, cell in found]
    limit, y = axis_end(min(100.0, max(ends))), _HEAD
    titles, dots, words = [], [], []
    for name, found in rows:
        titles.append((y, name))
        y += _TITLE
        for part, form, value, cell in found:
            low, high = cell.interval or (value, value)
            said = f"{part}, {form}: {cell.text} %" + (f" ({cell.between})" if cell.between else "")
            at, start, end = (FULL * min(number, limit) / limit for number in (value, low, high))
            dots.append(Dot(y + _LINE - 12, at, start, end, part, said, cell.few))
            words.append(f"{name}, {said}")
            y += _LINE
        y += _BETWEEN
    ticks = [(FULL * share, f"{limit * share:g} %") for share in (0, 0.5, 1)]
    return PartsPanel(title, y + _AXIS, titles, dots, ticks, "; ".join(words))
