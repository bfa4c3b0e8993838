"""``xmic report``: all evaluations of a workspace as pages and tables."""

from __future__ import annotations

import sys
from typing import Any

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
    workspace: WorkspaceOption = None,
    json: Json = False,
) -> None:
    """Write Markdown, HTML, CSV and LaTeX tables of every evaluation.

    The HTML page is self-contained. Numbers are in percent, followed by evaluated clips / clips of the split; * marks
    numbers that lack clips. Below the results are the paper's tables that have runs: ± over seeds, [95 % interval],
    (few) for under 30 recordings or 100 clips, (Wilson) for an interval where drawing the recordings shows no spread.
    """
    from pipelines.report.collect import COLUMNS
    from pipelines.report.write import write_report

    written = write_report(open_workspace(context, workspace), options.name)
    if json:
        console.emit(written, True)
        return
    places = ["method", "run", "source", "within", "cross", "marks"]
    rows = [
        [*(row[place] or "–" for place in places[:-1]), row["marks"], *(_cell(row, column) for column in COLUMNS)]
        for row in written["rows"]
    ]
    console.table("results", [*places, *COLUMNS], rows)
    for table in written["tables"]:
        _print_table(table)
    if written["random_weights"]:
        weights = ", ".join(written["random_weights"])
        console.note(f"warning: {weights} has random weights; the rows marked R mean nothing")
    for text in written["pretrained_on"]:
        console.note(f"{text} (rows marked P)")
    for text in written["mixed"]:
        console.note(f"warning: mixed artifacts (rows marked M): {text}")
    for gap in written["gaps"]:
        console.note(f"{gap['why']}; run: {gap['command']}")
    for gap in written["unbegun"]:
        console.note(f"{gap['why']}; run: {gap['command']}")
    for kind in ("html", "markdown", "csv"):
        console.note(f"{kind}: {written[kind]}")


def _cell(row: dict[str, Any], column: str) -> str:
    value, clips = row[column], row[f"{column} clips"]
    evaluated, _, official = clips.partition("/")
    number = "–" if value is None else f"{value:.2f}"
    return f"{number}{'*' * (evaluated != official)} ({clips})" if clips else number


def _print_table(table: dict[str, Any]) -> None:
    for section in table["sections"]:
        names = list(section["rows"][0]["cells"])
        rows = [
            [
                row["row"] + (f" [{row['marks']}]" if row["marks"] else ""),
                row["recipe"] or {"missing": "no run yet"}.get(row["kind"], row["kind"]),
                " ".join(map(str, row["seeds"])),
                *(_number(cell) for cell in row["cells"].values()),
                "; ".join(row["commands"]),
            ]
            for row in section["rows"]
        ]
        title = f"{table['title']}; {section['title']}"
        _titled(title, ["row", "recipe", "seeds", *names, "what fills it"], rows)
        compared = [_difference(one) for one in section["comparisons"]]
        if compared:
            head = ["row", "minus", "number", "points", "95 %", "p", "p (Holm)"]
            _titled(f"{title}; differences on the same clips", head, compared)


def _titled(title: str, columns: list[str], rows: list[list[str]]) -> None:
    if not sys.stdout.isatty():  # Where tables are not drawn they have no title of their own.
        console.emit(None, False, ["", title])
    console.table(title, columns, rows)


def _number(cell: dict[str, Any]) -> str:
    words = []
    if cell["percent"] is not None:
        words.append(f"{cell['percent']:.2f}{'*' * (cell['n_evaluated'] < cell['n_official'])}")
        words += [] if cell["sd"] is None else [f"± {cell['sd']:.2f}"]
        words += [] if cell["low"] is None else [f"[{cell['low']:.1f}–{cell['high']:.1f}]"]
        words += {"wilson": ["(Wilson)"], "degenerate": ["(no interval)"]}.get(cell["interval_kind"], [])
        words += ["(few)"] if cell["few"] else []
    if cell["paper"] is not None:
        wrong = "" if cell["paper_recomputed"] is None else f" ! {cell['paper_recomputed']:.2f}"
        beyond = "" if cell["difference"] is None else f" ({cell['difference']:+.2f})"
        words.append(f"paper {cell['paper']:.2f}{wrong}{beyond}")
    return " ".join(words) or "–"


def _difference(one: dict[str, Any]) -> list[str]:
    head = [one["title"], one["against"], one["column"]]
    if one["difference"] is None:
        return [*head, "other clips", "", "", ""]
    points = f"{one['difference']:+.2f}"
    if one["interval"] is None:
        return [*head, points, "no interval", "", ""]
    low, high = one["interval"]
    return [*head, points, f"{low:.1f} to {high:.1f}", f"{one['p']:.4f}", f"{one['corrected']:.4f}"]
