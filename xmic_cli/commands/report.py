"""``xmic report``: all evaluations of a workspace as pages and tables."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.report.options import ReportOptions
from xmic_cli import console
from xmic_cli.options import Json, WorkspaceOption, open_workspace
from xmic_cli.spread import spread


@spread
def report(
    context: typer.Context,
    *,
    options: ReportOptions,
    tables: Annotated[bool, typer.Option("--tables", help="Print all tables, and what fills their gaps.")] = False,
    workspace: WorkspaceOption = None,
    json: Json = False,
) -> None:
    """Write Markdown, HTML, CSV and LaTeX tables of every evaluation.

    The HTML page is self-contained. On the terminal are the comparison with zero-shot, one table of top-1 in percent
    (* marks numbers that lack clips) and the place of the page. --tables prints all tables: evaluated clips / clips of
    the split, then the paper's tables that have runs. There ± is over seeds, [95 % interval], (few) for under 30
    recordings or 100 clips, (Wilson) for an interval where drawing the recordings shows no spread.
    """
    from pipelines.report.collect import COLUMNS
    from pipelines.report.write import write_report
    from xmic_cli.report_tables import print_all, print_screen, warnings

    space = open_workspace(context, workspace)
    written = write_report(space, options.name)
    if json:
        console.emit(written, True)
        return
    if tables:
        print_all(written, COLUMNS)
    else:
        print_screen(written)
    for text in warnings(written):
        console.note(text)
    empty = len(written["gaps"]) + len(written["unbegun"])
    if empty and not tables:
        console.note(f"{empty} gaps; --tables prints all tables and the commands that fill them")
    for kind in ("html", "markdown", "csv") if tables else ("html",):
        console.note(f"{kind}: {written[kind]}")
