"""``xmic leaderboard``: result cards as tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xmic_cli import console
from xmic_cli.options import Json


def leaderboard(
    folder: Annotated[Path, typer.Argument(help="Folder with card.json or *.card.json files, at any depth.")],
    by: Annotated[str, typer.Option(help="Number to sort by, highest first.")] = "noun top1",
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print every number of every card as CSV.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown tables.")] = False,
) -> None:
    """Print one table per protocol, best result first.

    A table holds only cards with the same protocol hash (clips, classes, label space, shared and novel classes,
    versions of the numbers). A star marks results that lack clips. A damaged or foreign card is named and left out, and
    the command then exits 3.
    """
    from data_manifests.errors import InputError, UsageError
    from pipelines.evaluate.leaderboard import boards_csv, boards_json, boards_markdown, read_boards

    if json + csv + markdown > 1:
        raise UsageError("--json, --csv, --markdown: choose one of them")
    found = read_boards(folder, by)
    if json:
        console.emit(boards_json(found), True)
    elif csv or markdown:
        text = boards_csv(found) if csv else boards_markdown(found)
        console.emit(None, False, text.splitlines())
    else:
        for board in found.boards:
            console.note(board.title)
            console.table(board.title, board.head, board.rows())
    for why in found.skipped:
        console.note(f"skipped: {why}")
    if found.skipped:
        raise InputError(f"{folder}: {len(found.skipped)} cards could not be read and are in no table, see above.")
