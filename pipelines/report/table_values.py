"""Convert the paper's tables to plain values for JSON, and to CSV."""

from __future__ import annotations

from typing import Any

from pipelines.engine.csv_text import csv_text
from pipelines.report.table_cells import TableCell
from pipelines.report.tables import Section, Table, TableRow

_PLACE = ["source", "within", "cross", "clip_lists"]
_ROW = ["kind", "row", "seeds", "recipe", "protocol", "marks"]
_CELL = ["percent", "sd", "low", "high", "interval_kind", "n_evaluated", "n_official", "few"]
_PAPER = ["paper", "paper_recomputed", "difference"]


def table_values(table: Table) -> dict[str, Any]:
    """Return a table as plain values for ``--json``.

    It has 'table', 'title' and 'sections', and each section has 'rows' with 'cells', and 'comparisons'.
    """
    sections = [
        {
            "title": section.title,
            **_place(section),
            "rows": [
                {
                    **_row(row),
                    "seeds": list(row.seeds),
                    "cells": {name: _numbers(cell) for name, cell in row.cells.items()},
                    "commands": list(row.commands),
                }
                for row in section.rows
            ],
            "comparisons": [vars(one) for one in section.compared],
        }
        for section in table.sections
    ]
    return {"table": table.number, "title": table.title, "sections": sections}


def table_lines(table: Table) -> str:
    """Format a table as CSV, one line per number.

    Missing numbers are empty; 'commands' fill the empty cells of the row.
    """
    head = [*_PLACE, *_ROW, "label", "number", *_CELL, *_PAPER, "commands"]
    lines = []
    for section in table.sections:
        for row in section.rows:
            for column in table.columns:
                values = {**_place(section), **_row(row), **_numbers(row.cells[column.name])}
                values |= {"label": column.label, "number": column.kind, "commands": " | ".join(row.commands)}
                lines.append([values[name] for name in head])
    return csv_text(head, lines)


def _place(section: Section) -> dict[str, Any]:
    places = {name: None if place is None else str(place) for name, place in vars(section).items() if name in _PLACE}
    return {**places, "clip_lists": " ".join(section.clip_lists)}


def _row(row: TableRow) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "row": row.title,
        "seeds": " ".join(map(str, row.seeds)),
        "recipe": row.terms,
        "protocol": row.protocol,
        "marks": row.marks,
    }


def _numbers(cell: TableCell) -> dict[str, Any]:
    low, high = cell.interval or (None, None)
    there = cell.value is not None
    return {
        "percent": cell.value,
        "sd": cell.sd,
        "low": low,
        "high": high,
        "interval_kind": cell.interval_kind,
        "n_evaluated": cell.evaluated if there else None,
        "n_official": cell.official if there else None,
        "few": int(cell.few) if there else None,
        "paper": cell.paper.value if cell.paper else None,
        "paper_recomputed": cell.paper.recomputed if cell.paper else None,
        "difference": cell.difference,
    }
