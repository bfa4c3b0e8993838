"""Render a report as one self-contained page.

Everything that comes from a file is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jinja2

from data_manifests.schema import LABELS, Label
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.intervals import LEGEND
from pipelines.report.band import MOST, cautions, sentences, verdict
from pipelines.report.clip_map import clip_map
from pipelines.report.collect import KINDS, MARKS, Collected, Row
from pipelines.report.confusion import confusion_values, confusions
from pipelines.report.dot_plot import ROW, dot_plots
from pipelines.report.gallery import gallery
from pipelines.report.headlines import Headline
from pipelines.report.html_templates import html_environment
from pipelines.report.not_run import empty, not_run
from pipelines.report.per_class import class_tables, within_rows
from pipelines.report.pictures import Picture
from pipelines.report.provenance import provenance_uri
from pipelines.report.shared_novel_figure import draw_parts
from pipelines.report.shown_models import shown_models
from pipelines.report.table_plans import Column
from pipelines.report.tables import TableRow, Tables
from pipelines.report.timeline import timelines
from pipelines.report.training_curves import training_curves

MOST_CLASS_ROWS = 10_000
"""Most rows of the tables per class, which keeps the page small."""

MOST_CURVES = 6
"""Learning curves that are shown at once; the others are folded."""


def page(
    found: Collected, tables: Tables, lines: Sequence[Headline], workspace: Workspace, shown: Sequence[Picture]
) -> str:
    """Render the report as HTML.

    Trainings, class names, scores and frames are shown as far as they are in the workspace, and the pictures that lie
    beside the report.
    """
    evaluations = list(zip(found.evaluations, found.folders, strict=True))
    models = shown_models(evaluations)
    classes, left_out = within_rows(class_tables(workspace, evaluations), MOST_CLASS_ROWS)
    band = sentences(lines, controls=False)
    notes = {sentence.notes for sentence in band}
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            found=found,
            tables=tables,
            kinds=KINDS,
            labels=LABELS,
            band=band,
            band_controls=sentences(lines, controls=True),
            most_sentences=MOST,
            verdict=verdict(lines),
            common_notes=next(iter(notes)) if len(notes) == 1 else "",
            cautions=cautions(found),
            row_height=ROW,
            plots=dot_plots(found, workspace),
            pictures=shown,
            gallery=gallery(workspace, models),
            clip_map=clip_map(workspace, models),
            timelines=timelines(workspace, models),
            confusion=confusion_values(confusions(workspace, evaluations)),
            training_curves=training_curves(workspace, found.evaluations),
            most_curves=MOST_CURVES,
            parts_panels=draw_parts(tables.tables),
            class_tables=classes,
            more_class_tables=left_out,
            interval_legend=LEGEND,
            not_run=not_run(found, tables, lines),
            provenance=provenance_uri(found),
        )
    )


def _environment() -> jinja2.Environment:
    environment = html_environment("pipelines.report")
    environment.filters |= {
        "capitalize_first": _capitalize_first,
        "mark_words": _mark_words,
        "places": _places,
        "with_label": _with_label,
        "with_numbers": _with_numbers,
    }
    return environment


def _capitalize_first(text: str) -> str:
    """Make the first letter large and leave the others as they are: names keep their form."""
    return text[:1].upper() + text[1:]


def _mark_words(marks: str, pretrained_on: str = "") -> list[str]:
    words: dict[str, Any] = {**MARKS, **({"P": f"pretrained on {pretrained_on}"} if pretrained_on else {})}
    return [words[mark] for mark in marks]


def _places(value: float) -> str:
    """Write a place in a drawing with two decimals, without zeros at its end."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _with_label(rows: Sequence[Row], label: Label) -> list[Row]:
    """Leave out the rows that have no number of a label."""
    return [row for row in rows if any(row.cells[f"{label} {kind}"].official for kind in KINDS)]


def _with_numbers(rows: Sequence[TableRow], columns: Sequence[Column]) -> list[TableRow]:
    """Leave out the rows that have no number in these columns, neither of ours nor of the paper."""
    return [row for row in rows if not empty(row, columns)]
