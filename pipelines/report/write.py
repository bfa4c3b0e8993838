"""``report``: one folder with a page, a text and a table, all from the evaluations alone."""

from __future__ import annotations

import csv
import io
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from data_manifests.errors import UsageError
from data_manifests.schema import LABELS
from pipelines.atomic import replace_atomically
from pipelines.report import figure
from pipelines.report.collect import COLUMNS, Collected, collect
from pipelines.workspace import Workspace


def write_report(workspace: Workspace, name: str = "report") -> dict[str, Any]:
    """Write ``reports/<name>/{index.html,report.md,tables/results.csv}``.

    The same evaluations give the same bytes: no time, host or path stands in them.

    Returns:
        The paths and the table's rows.

    Raises:
        UsageError: the name would leave the reports folder.
        MissingUpstream, InputError: see :func:`pipelines.report.collect.collect`.
    """
    if Path(name).name != name or name in ("", ".", ".."):
        raise UsageError(f"--name {name}: expected a folder name, not a path")
    found = collect(workspace)
    folder = workspace.root / "reports" / name
    outputs = {
        "html": (folder / "index.html", _render("report.html.j2", found, escape=True)),
        "markdown": (folder / "report.md", _render("report.md.j2", found, escape=False)),
        "csv": (folder / "tables" / "results.csv", _csv(found)),
    }
    for path, text in outputs.values():
        with replace_atomically(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    rows = [
        {
            "method": row.method,
            "run": row.run,
            "source": row.source,
            "within": row.within,
            "cross": row.cross,
            "marks": row.marks,
            **{column: row.cells[column].value for column in COLUMNS},
        }
        for row in found.rows
    ]
    return {**{kind: str(path) for kind, (path, _) in outputs.items()}, "rows": rows}


def _render(template: str, found: Collected, *, escape: bool) -> str:
    environment = jinja2.Environment(
        autoescape=escape, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["cell"] = _markdown_cell
    source = files("pipelines.report").joinpath("templates").joinpath(template).read_text(encoding="utf-8")
    figures = [figure.bars_of(found.rows, label) for label in LABELS]
    return environment.from_string(source).render(
        found=found, columns=COLUMNS, labels=LABELS, figures=figures, geometry=figure
    )


def _markdown_cell(text: object) -> str:
    return str(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _csv(found: Collected) -> str:
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    sizes = [f"{column} {what}" for column in COLUMNS for what in ("%", "n_evaluated", "n_official")]
    table.writerow(["method", "run", "source", "within", "cross", "marks", *sizes])
    for row in found.rows:
        numbers: list[Any] = []
        for column in COLUMNS:
            cell = row.cells[column]
            numbers += ["", "", ""] if cell.value is None else [cell.value, cell.evaluated, cell.official]
        table.writerow([row.method, row.run, row.source, row.within, row.cross, row.marks, *numbers])
    return out.getvalue()
