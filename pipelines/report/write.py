"""Write a report folder from the evaluations alone.

It has a page, a text and tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_manifests.errors import UsageError
from pipelines.engine.atomic import replace_atomically
from pipelines.engine.csv_text import csv_text
from pipelines.engine.markdown import render_template
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.intervals import LEGEND
from pipelines.report.collect import COLUMNS, Collected, Row, collect
from pipelines.report.headlines import Headline, headlines, plain
from pipelines.report.latex import latex
from pipelines.report.not_run import empty, not_run
from pipelines.report.page import page
from pipelines.report.pictures import pictures
from pipelines.report.table_plans import NUMBERS
from pipelines.report.table_values import table_lines, table_values
from pipelines.report.tables import Tables, tables_of


def write_report(workspace: Workspace, name: str = "report") -> dict[str, Any]:
    """Write a report's page, text and tables into its folder.

    The files are ``reports/<name>/{index.html,report.md}`` and ``tables/{results.csv,table1.csv,table1.tex,…}`` below
    that folder. Of the paper's tables those are written that have runs. The same evaluations give the same bytes: the
    files contain no time, host or path.

    Returns:
        The paths are 'html', 'markdown', 'csv', and 'table1 csv', 'table1 tex', …. 'rows' are the results: each
        column's percent, its clips under '<column> clips', its 95 % interval under '<column> interval' and how it was
        found under '<column> interval kind'. 'headlines' are the differences from zero-shot (see
        :class:`pipelines.report.headlines.Headline`). 'tables' are the paper's (see
        :func:`pipelines.report.table_values.table_values`), 'unbegun' those without runs. There are also
        'random_weights', 'mixed', 'pretrained_on', 'leaking' and 'gaps'.

    Raises:
        UsageError: the name would leave the reports folder.
        MissingUpstream, InputError: see :func:`pipelines.report.collect.collect`.
    """
    if Path(name).name != name or name in ("", ".", ".."):
        raise UsageError(f"--name {name}: expected a folder name, not a path")
    found = collect(workspace)
    tables = tables_of(found, workspace)
    lines = headlines(found.evaluations)
    folder = workspace.report(name)
    outputs = {
        "html": (folder / "index.html", page(found, tables, lines, workspace, pictures(folder))),
        "markdown": (folder / "report.md", markdown(found, tables, lines)),
        "csv": (folder / "tables" / "results.csv", table_csv(found)),
    }
    for table in tables.tables:
        for kind, text in (("csv", table_lines(table)), ("tex", latex(table))):
            outputs[f"table{table.number} {kind}"] = (folder / "tables" / f"table{table.number}.{kind}", text)
    _remove_stale(folder / "tables", {path for path, _ in outputs.values()})
    for path, text in outputs.values():
        with replace_atomically(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return {
        **{kind: str(path) for kind, (path, _) in outputs.items()},
        "rows": [_plain(row) for row in found.rows],
        "headlines": [plain(line) for line in lines],
        "tables": [table_values(table) for table in tables.tables],
        "unbegun": [vars(gap) for gap in tables.unbegun],
        "random_weights": found.random_weights,
        "mixed": found.mixed,
        "pretrained_on": found.pretrained_on,
        "leaking": found.leaking,
        "gaps": [vars(gap) for gap in found.gaps],
    }


def _remove_stale(folder: Path, written: set[Path]) -> None:
    """Remove the tables of an earlier report that this one does not have."""
    for number in NUMBERS:
        for kind in ("csv", "tex"):
            file = folder / f"table{number}.{kind}"
            if file not in written:
                file.unlink(missing_ok=True)


def markdown(found: Collected, tables: Tables, lines: Sequence[Headline]) -> str:
    """Render the report as Markdown.

    Everything that comes from a file is escaped.
    """
    return render_template(
        __package__,
        "report.md.j2",
        found=found,
        headlines=lines,
        tables=tables,
        columns=COLUMNS,
        interval_legend=LEGEND,
        not_run=not_run(found, tables, lines),
        empty=empty,
    )


def _plain(row: Row) -> dict[str, Any]:
    head: dict[str, Any] = {
        "method": row.method,
        "run": row.run.name,
        "recipe": row.run.recipe,
        "select": row.run.select,
        "leaking": row.run.leaking,
        "out_of_date": row.outdated,
        "xmic_vector": row.control.vectors,
        "frame_order": row.control.order,
        "source": str(row.source),
        "within": str(row.within) if row.within else None,
        "cross": str(row.cross) if row.cross else None,
        "marks": row.marks,
        "pretrained_on": row.pretrained_on or None,
    }
    for column in COLUMNS:
        cell = row.cells[column]
        head |= {column: cell.value, f"{column} clips": cell.clips, f"{column} interval": cell.interval}
        head[f"{column} interval kind"] = cell.interval_kind
    return head


def table_csv(found: Collected) -> str:
    """Format the results as CSV in full precision.

    Missing numbers are empty.
    """
    sizes = [f"{column} {what}" for column in COLUMNS for what in ("%", "low", "high", "n_evaluated", "n_official")]
    head = ["method", "preset", "seed", "run", "key", "recipe", "select", "xmic_vector", "frame_order"]
    head += ["source", "within", "cross", "random_weights", "mixed", "pretrained_on", "leaking", "out_of_date"]
    rows = []
    for row in found.rows:
        numbers: list[Any] = []
        for column in COLUMNS:
            cell = row.cells[column]
            numbers += [cell.value, *(cell.interval or (None, None))]
            numbers += [cell.evaluated, cell.official] if cell.official else [None, None]
        run = [row.run.method, row.run.preset, row.run.seed, row.run.name, row.run.key]
        run += [row.run.recipe, row.run.select, row.control.vectors, row.control.order]
        places = [str(place or "") for place in (row.source, row.within, row.cross)]
        marked = [int(row.random_weights), int(row.mixed), row.pretrained_on, int(row.run.leaking), int(row.outdated)]
        rows.append([*run, *places, *marked, *numbers])
    return csv_text([*head, *sizes], rows)
