"""``xmic report``: all evaluations of a workspace as pages and tables."""

from __future__ import annotations

from typing import Annotated

import typer

from xmic_cli import console
from xmic_cli.options import Json, WorkspaceOption, open_workspace


def report(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="Folder name below reports/.")] = "report",
    workspace: WorkspaceOption = None,
    json: Json = False,
) -> None:
    """Write Markdown, a self-contained HTML page and a CSV table of every evaluation."""
    from pipelines.report.write import write_report

    written = write_report(open_workspace(context, workspace), name)
    if json:
        console.emit(written, True)
        return
    columns = ["method", "source", "within", "cross", "marks", *list(written["rows"][0])[6:]]
    rows = [
        ["–" if row[c] is None else f"{row[c]:.2f}" if isinstance(row[c], float) else row[c] for c in columns]
        for row in written["rows"]
    ]
    console.table("results", columns, rows)
    for kind in ("html", "markdown", "csv"):
        console.note(f"{kind}: {written[kind]}")
