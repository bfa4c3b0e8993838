"""Evaluations to table rows: a run and a cross target a row, with the run's own dataset beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data_manifests.errors import InputError, MissingUpstream
from data_manifests.schema import LABELS
from pipelines.evaluate.metrics import harmonic_mean
from pipelines.workspace import Workspace

SCHEMA = 1


@dataclass(frozen=True)
class Cell:
    """One number of a table.

    Attributes:
        value: percent; None where nothing was evaluated.
        evaluated: clips it is over.
        official: clips it should be over; fewer evaluated ones mark the cell.
        fill: the command that would fill an empty cell.
    """

    value: float | None
    evaluated: int = 0
    official: int = 0
    fill: str = ""

    @property
    def partial(self) -> bool:
        """Some clips of the split are not in the number."""
        return self.value is not None and self.evaluated < self.official

    @property
    def text(self) -> str:
        """Two decimals, a star where clips are missing, a dash where there is no number."""
        return "–" if self.value is None else f"{self.value:.2f}{'*' if self.partial else ''}"


@dataclass(frozen=True)
class Row:
    """A line of the table; ``cells`` maps 'noun within', 'noun cross', 'noun hm', … to a cell."""

    method: str
    run: str
    source: str
    within: str
    cross: str
    marks: str
    cells: Mapping[str, Cell]


@dataclass
class Collected:
    """All evaluations of a workspace, in the order of their folders."""

    evaluations: list[dict[str, Any]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    random_weights: list[str] = field(default_factory=list)
    mixed: list[str] = field(default_factory=list)


COLUMNS = [f"{label} {what}" for label in LABELS for what in ("within", "cross", "hm", "top-5", "class mean")]
"""Columns of the table in order: top-1 within the run's own dataset and across, their harmonic mean, and top-5 and
class mean of the cross target (of the own dataset where there is no cross target)."""


def collect(workspace: Workspace) -> Collected:
    """Read every ``metrics.json``.

    Raises:
        MissingUpstream: there is none.
        InputError: one is not JSON or of another schema.
    """
    folder = workspace.root / "evaluations"
    found = Collected()
    by_run: dict[str, list[dict[str, Any]]] = {}
    for file in sorted(folder.glob("*/*/metrics.json")):
        metrics = _read(file)
        found.evaluations.append(metrics)
        by_run.setdefault(metrics["run"]["name"], []).append(metrics)
        found.random_weights += [name for name in metrics["random_weights"] if name not in found.random_weights]
        for item in metrics["mixed"]:
            where = f"{metrics['target']['dataset']} {metrics['target']['split']}"
            found.mixed.append(
                f"{metrics['run']['name']} on {where}: {item['what']} {item['run']} against {item['target']}"
            )
    if not by_run:
        raise MissingUpstream(f"{folder}: no evaluation. Run xmic evaluate -w {workspace.root}")
    for evaluations in by_run.values():
        within = next((m for m in evaluations if m["within"]), None)
        crosses: list[dict[str, Any] | None] = [m for m in evaluations if not m["within"]]
        found.rows += [_row(within, cross) for cross in crosses or [None]]
    return found


def _read(file: Path) -> dict[str, Any]:
    try:
        metrics: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{file}: not JSON ({error}). Run xmic evaluate again.") from None
    if metrics.get("schema") != SCHEMA:
        raise InputError(
            f"{file}: schema {metrics.get('schema')!r}, this xmic reads schema {SCHEMA}. Run xmic evaluate again."
        )
    return metrics


def _row(within: dict[str, Any] | None, cross: dict[str, Any] | None) -> Row:
    known = within or cross
    assert known is not None
    run = known["run"]
    cells: dict[str, Cell] = {}
    for label in LABELS:
        own = _cell(within, label, "top1", f"xmic evaluate {run['name']}")
        other = _cell(cross, label, "top1", f"xmic evaluate {run['name']} --cross DATASET")
        mean = harmonic_mean(own.value, other.value) if None not in (own.value, other.value) else None  # type: ignore[arg-type]
        cells |= {f"{label} within": own, f"{label} cross": other}
        cells[f"{label} hm"] = Cell(mean, own.evaluated + other.evaluated, own.official + other.official)
        cells[f"{label} top-5"] = _cell(cross or within, label, "top5", "")
        cells[f"{label} class mean"] = _cell(cross or within, label, "class_mean", "")
    both = [m for m in (within, cross) if m]
    marks = "R" * any(m["random_weights"] for m in both) + "M" * any(m["mixed"] for m in both)
    source = f"{known['source']['dataset']} {known['source']['split']}"
    method = run["method"] if run["preset"] == "official" else f"{run['method']} ({run['preset']})"
    return Row(method, run["name"], source, _place(within), _place(cross), marks, cells)


def _place(metrics: dict[str, Any] | None) -> str:
    return f"{metrics['target']['dataset']} {metrics['target']['split']}" if metrics else "–"


def _cell(metrics: dict[str, Any] | None, label: str, what: str, fill: str) -> Cell:
    numbers = metrics["labels"].get(label) if metrics else None
    if not numbers or numbers[what] is None:
        return Cell(None, fill=fill)
    return Cell(numbers[what], numbers["n_evaluated"], numbers["n_official"])
