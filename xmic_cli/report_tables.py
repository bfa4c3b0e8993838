"""Print the tables of a report: all of them, or one screen."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xmic_cli import console

_ROWS = 8
"""Rows of a table that fit on one screen beside the rest."""


def print_screen(written: Mapping[str, Any]) -> None:
    """Print the comparison with zero-shot, and one table of top-1.

    Empty rows and columns are left out.

    Args:
        written: what :func:`pipelines.report.write.write_report` returns.
    """
    compared = difference_rows([line for line in written["headlines"] if not line["control"]])
    if compared:
        title = "difference from zero-shot on the same clips, in points (95 % interval)"
        _first("compared with zero-shot", title, ["method", "trained on", "tested on", "nouns", "verbs"], compared)
    columns = [f"{label} {kind}" for label in ("noun", "verb") for kind in ("within", "cross")]
    told = [row for row in written["rows"] if any(row[column] is not None for column in columns)]
    used = [column for column in columns if any(row[column] is not None for row in told)]
    head = ["method", "trained on", "across to", *used, "marks"]
    rows = [
        [
            row["method"],
            row["source"].removesuffix(" train"),
            row["cross"] or "–",
            *(_top1(row, column) for column in used),
            row["marks"],
        ]
        for row in told
    ]
    _first("results", "top-1 in percent; * lacks clips", *_filled(head, rows))


def _first(what: str, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    _titled(title, list(columns), [list(row) for row in rows[:_ROWS]])
    if len(rows) > _ROWS:
        console.note(f"{what}: {len(rows) - _ROWS} more rows with --tables, and on the page")


def _filled(head: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """Leave out columns that are empty in every row."""
    kept = [place for place in range(len(head)) if any(row[place] not in ("", "–") for row in rows)]
    return [head[place] for place in kept], [[row[place] for place in kept] for row in rows]


def _top1(row: Mapping[str, Any], column: str) -> str:
    evaluated, _, official = row[f"{column} clips"].partition("/")
    return "–" if row[column] is None else f"{row[column]:.1f}{'*' * (evaluated != official)}"


def difference_rows(headlines: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Join the nouns and verbs of a run and target."""
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    for line in headlines:
        rows.setdefault((line["method"], line["trained_on"], line["target"]), {})[line["label"]] = line["points"]
    return [[*key, *(found.get(label, "–") for label in ("noun", "verb"))] for key, found in rows.items()]


def print_all(written: Mapping[str, Any], columns: Sequence[str]) -> None:
    """Print every table, and every command that fills a gap."""
    places = ["method", "run", "source", "within", "cross", "marks"]
    rows = [
        [*(row[place] or "–" for place in places[:-1]), row["marks"], *(_cell(row, column) for column in columns)]
        for row in written["rows"]
    ]
    console.table("results", [*places, *columns], rows)
    for table in written["tables"]:
        _print_table(table)
    for gap in (*written["gaps"], *written["unbegun"]):
        console.note(f"{gap['why']}; run: {gap['command']}")


def warnings(written: Mapping[str, Any]) -> Iterator[str]:
    """Describe what the marks behind the rows mean."""
    if written["random_weights"]:
        weights = ", ".join(written["random_weights"])
        yield f"warning: {weights} has random weights; the rows marked R mean nothing"
    for text in written["pretrained_on"]:
        yield f"{text} (rows marked P)"
    for text in written["mixed"]:
        yield f"warning: mixed artifacts (rows marked M): {text}"


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
