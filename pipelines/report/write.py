"""``report``: one folder with a page, a text and a table, all from the evaluations alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2

from data_manifests.errors import UsageError
from data_manifests.schema import LABELS
from pipelines.atomic import replace_atomically
from pipelines.csv_text import csv_text
from pipelines.markdown import render_template
from pipelines.report.collect import COLUMNS, KINDS, Collected, Row, collect
from pipelines.report.epochs import courses
from pipelines.report.examples import examples
from pipelines.report.figure import BAR, draw
from pipelines.report.per_class import class_tables
from pipelines.workspace import Workspace


def write_report(workspace: Workspace, name: str = "report") -> dict[str, Any]:
    """Write ``reports/<name>/{index.html,report.md,tables/results.csv}``.

    The same evaluations give the same bytes: no time, host or path stands in them.

    Returns:
        The paths ('html', 'markdown', 'csv'), the table's 'rows' (each column's percent, its clips under
        '<column> clips', its 95 % interval under
        '<column> interval'), 'random_weights', 'mixed', 'pretrained_on', 'leaking' and 'gaps'.

    Raises:
        UsageError: the name would leave the reports folder.
        MissingUpstream, InputError: see :func:`pipelines.report.collect.collect`.
    """
    if Path(name).name != name or name in ("", ".", ".."):
        raise UsageError(f"--name {name}: expected a folder name, not a path")
    found = collect(workspace)
    folder = workspace.root / "reports" / name
    outputs = {
        "html": (folder / "index.html", html(found, workspace)),
        "markdown": (folder / "report.md", markdown(found)),
        "csv": (folder / "tables" / "results.csv", table_csv(found)),
    }
    for path, text in outputs.values():
        with replace_atomically(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return {
        **{kind: str(path) for kind, (path, _) in outputs.items()},
        "rows": [_plain(row) for row in found.rows],
        "random_weights": found.random_weights,
        "mixed": found.mixed,
        "pretrained_on": found.pretrained_on,
        "leaking": found.leaking,
        "gaps": [vars(gap) for gap in found.gaps],
    }


def html(found: Collected, workspace: Workspace) -> str:
    """One self-contained page that asks for nothing from anywhere; everything that comes from a file is escaped.

    Trainings, class names, scores and frames are shown as far as they are in the workspace.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=True,
    )
    evaluations = list(zip(found.evaluations, found.folders, strict=True))
    return environment.get_template("report.html.j2").render(
        **_shown(found),
        figure=draw(found.rows),
        bar_height=BAR,
        courses=courses(workspace, found.evaluations),
        class_tables=class_tables(workspace, evaluations),
        examples=examples(workspace, evaluations),
    )


def markdown(found: Collected) -> str:
    """The same as text; everything that comes from a file is escaped."""
    return render_template(__package__, "report.md.j2", **_shown(found))


def _shown(found: Collected) -> dict[str, Any]:
    return {"found": found, "columns": COLUMNS, "kinds": KINDS, "labels": LABELS}


def _plain(row: Row) -> dict[str, Any]:
    head: dict[str, Any] = {
        "method": row.method,
        "run": row.run.name,
        "recipe": row.run.recipe,
        "select": row.run.select,
        "leaking": row.run.leaking,
        "xmic_vector": row.xmic_vector,
        "source": str(row.source),
        "within": str(row.within) if row.within else None,
        "cross": str(row.cross) if row.cross else None,
        "marks": row.marks,
        "pretrained_on": row.pretrained_on or None,
    }
    for column in COLUMNS:
        cell = row.cells[column]
        head |= {column: cell.value, f"{column} clips": cell.clips, f"{column} interval": cell.interval}
    return head


def table_csv(found: Collected) -> str:
    """The table with full precision; empty where there is no number."""
    sizes = [f"{column} {what}" for column in COLUMNS for what in ("%", "low", "high", "n_evaluated", "n_official")]
    head = ["method", "preset", "seed", "run", "key", "recipe", "select", "xmic_vector"]
    head += ["source", "within", "cross", "random_weights", "mixed", "pretrained_on", "leaking"]
    rows = []
    for row in found.rows:
        numbers: list[Any] = []
        for column in COLUMNS:
            cell = row.cells[column]
            numbers += [cell.value, *(cell.interval or (None, None))]
            numbers += [cell.evaluated, cell.official] if cell.official else [None, None]
        run = [row.run.method, row.run.preset, row.run.seed, row.run.name, row.run.key]
        run += [row.run.recipe, row.run.select, row.xmic_vector]
        places = [str(place or "") for place in (row.source, row.within, row.cross)]
        rows.append(
            [*run, *places, int(row.random_weights), int(row.mixed), row.pretrained_on, int(row.run.leaking), *numbers]
        )
    return csv_text([*head, *sizes], rows)
