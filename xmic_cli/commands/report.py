"""``xmic report``: all evaluations of a workspace as pages and tables."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from xmic_cli import console
from xmic_cli.options import Json, WorkspaceOption, open_workspace


def report(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="Folder name below reports/.")] = "report",
    workspace: WorkspaceOption = None,
    json: Json = False,
) -> None:
    """Write Markdown, a self-contained HTML page and a CSV table of every evaluation.

    Numbers are percent, behind them clips evaluated / clips of the split; * = not all of them.
    """
    from pipelines.report.collect import COLUMNS
    from pipelines.report.write import write_report

    written = write_report(open_workspace(context, workspace), name)
    if json:
        console.emit(written, True)
        return
    places = ["method", "run", "source", "within", "cross", "marks"]
    rows = [
        [*(row[place] or "–" for place in places[:-1]), row["marks"], *(_cell(row, column) for column in COLUMNS)]
        for row in written["rows"]
    ]
    console.table("results", [*places, *COLUMNS], rows)
    if written["random_weights"]:
        weights = ", ".join(written["random_weights"])
        console.note(f"warning: {weights} has random weights; the rows marked R mean nothing")
    for text in written["pretrained_on"]:
        console.note(f"{text} (rows marked P)")
    for text in written["mixed"]:
        console.note(f"warning: mixed artifacts (rows marked M): {text}")
    for gap in written["gaps"]:
        console.note(f"{gap['why']}; run: {gap['command']}")
    for kind in ("html", "markdown", "csv"):
        console.note(f"{kind}: {written[kind]}")


def _cell(row: dict[str, Any], column: str) -> str:
    value, clips = row[column], row[f"{column} clips"]
    evaluated, _, official = clips.partition("/")
    number = "–" if value is None else f"{value:.2f}"
    return f"{number}{'*' * (evaluated != official)} ({clips})" if clips else number
