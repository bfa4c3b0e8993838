"""``report``: one folder with a page, a text and a table, all from the evaluations alone."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from data_manifests.errors import UsageError
from data_manifests.schema import LABELS
from pipelines.atomic import replace_atomically
from pipelines.csv_text import csv_text
from pipelines.report.collect import COLUMNS, KINDS, Collected, Row, collect
from pipelines.report.figure import BAR, draw
from pipelines.workspace import Workspace


def write_report(workspace: Workspace, name: str = "report") -> dict[str, Any]:
    """Write ``reports/<name>/{index.html,report.md,tables/results.csv}``.

    The same evaluations give the same bytes: no time, host or path stands in them.

    Returns:
        The paths ('html', 'markdown', 'csv'), the table's 'rows' (each column's percent, its clips under
        '<column> clips', its 95 % interval under
        '<column> interval'), 'random_weights', 'mixed', 'leaking' and 'gaps'.

    Raises:
        UsageError: the name would leave the reports folder.
        MissingUpstream, InputError: see :func:`pipelines.report.collect.collect`.
    """
    if Path(name).name != name or name in ("", ".", ".."):
        raise UsageError(f"--name {name}: expected a folder name, not a path")
    found = collect(workspace)
    folder = workspace.root / "reports" / name
    outputs = {
        "html": (folder / "index.html", html(found)),
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
        "leaking": found.leaking,
        "gaps": [vars(gap) for gap in found.gaps],
    }


def html(found: Collected) -> str:
    """One self-contained page; everything that comes from a file is escaped."""
    return _render("report.html.j2", found, autoescape=True)


def markdown(found: Collected) -> str:
    """The same as text; everything that comes from a file is escaped."""
    return _render("report.md.j2", found, finalize=_markdown_text)


def _render(template: str, found: Collected, **options: Any) -> str:
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, **options
    )
    environment.filters["code"] = _markdown_code
    source = files("pipelines.report").joinpath("templates").joinpath(template).read_text(encoding="utf-8")
    return environment.from_string(source).render(
        found=found, columns=COLUMNS, kinds=KINDS, labels=LABELS, figure=draw(found.rows), bar_height=BAR
    )


class _Raw(str):
    """Markdown that is already escaped."""


def _markdown_text(value: object) -> str:
    """Text that no Markdown reader takes for markup: backslashes before punctuation, entities for <, > and &."""
    if isinstance(value, _Raw):
        return value
    text = re.sub(r"\s*[\r\n]+\s*", " ", str(value))
    text = re.sub(r"([\\`*_{}\[\]|~])", r"\\\1", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _markdown_code(value: object) -> _Raw:
    """A code span that its content can not end."""
    text = re.sub(r"\s*[\r\n]+\s*", " ", str(value)).replace("|", "\\|")
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence, space = "`" * (longest + 1), " " if longest else ""
    return _Raw(f"{fence}{space}{text}{space}{fence}")


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
    }
    for column in COLUMNS:
        cell = row.cells[column]
        head |= {column: cell.value, f"{column} clips": cell.clips, f"{column} interval": cell.interval}
    return head


def table_csv(found: Collected) -> str:
    """The table with full precision; empty where there is no number."""
    sizes = [f"{column} {what}" for column in COLUMNS for what in ("%", "low", "high", "n_evaluated", "n_official")]
    head = ["method", "preset", "seed", "run", "key", "recipe", "select", "xmic_vector"]
    head += ["source", "within", "cross", "random_weights", "mixed", "leaking"]
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
        rows.append([*run, *places, int(row.random_weights), int(row.mixed), int(row.run.leaking), *numbers])
    return csv_text([*head, *sizes], rows)
