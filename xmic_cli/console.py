"""Print for the user: notes on stderr, results on stdout."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from xmic_cli.disk_errors import STDOUT
from xmic_cli.notes import SHOWN, harmless, note, printable

__all__ = ["ANSWERED", "SHOWN", "emit", "note", "print_text", "progress", "table"]

if TYPE_CHECKING:
    from xmic_cli.progress import BarProgress, LineProgress


ANSWERED = threading.Event()
"""Set as soon as something is on stdout."""


def print_text(text: str) -> None:
    """Print a text on stdout as it is.

    Raises:
        OSError: stdout cannot be written to; the file name of the error says so.
    """
    SHOWN.set()
    ANSWERED.set()
    try:
        typer.echo(text, nl=False)
    except OSError as error:
        error.filename = error.filename or STDOUT
        raise


JSON_SCHEMA = 1
"""Version of the answers of ``--json``; it rises when a key is renamed or removed."""


def emit(value: Any, as_json: bool, lines: Sequence[str] = ()) -> None:
    """Print the result on stdout.

    It is printed as JSON where ``as_json`` is set, with :data:`JSON_SCHEMA` in front, else as the given lines.
    """
    if as_json:
        import json

        answer = {"schema": JSON_SCHEMA, **{name: part for name, part in value.items() if name != "schema"}}
        print_text(json.dumps(answer, indent=2, ensure_ascii=False, default=str) + "\n")
    else:
        for line in lines:
            print_text(harmless(line) + "\n")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table on stdout.

    The table is drawn on a terminal and tab-separated when piped. No cell is read as markup, and none moves the cursor.
    """
    shown = [[printable(str(cell)) for cell in row] for row in (columns, *rows)]
    if not sys.stdout.isatty():
        for row in shown:
            print_text("\t".join(row) + "\n")
        return
    from rich.console import Console

    from xmic_cli.tables import draw

    draw(Console(), printable(title), shown[0], shown[1:])


def progress() -> LineProgress | BarProgress:
    """Choose a bar on a terminal, and lines elsewhere."""
    from xmic_cli.progress import BarProgress, LineProgress

    return BarProgress() if sys.stderr.isatty() else LineProgress()
