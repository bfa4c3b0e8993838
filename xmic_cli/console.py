"""Print for the user: progress and notes on stderr, results on stdout."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Any

import typer

from xmic_cli.disk_errors import STDOUT


def note(text: str) -> None:
    """Print a line for the user on stderr."""
    typer.echo(_harmless(text), err=True)


def print_text(text: str) -> None:
    """Print a text on stdout as it is.

    Raises:
        OSError: stdout cannot be written to; the file name of the error says so.
    """
    try:
        typer.echo(text, nl=False)
    except OSError as error:
        error.filename = error.filename or STDOUT
        raise


def emit(value: Any, as_json: bool, lines: Sequence[str] = ()) -> None:
    """Print the result on stdout.

    It is printed as JSON where ``as_json`` is set, else as the given lines.
    """
    if as_json:
        import json

        print_text(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")
    else:
        for line in lines:
            print_text(_harmless(line) + "\n")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table on stdout.

    The table is drawn on a terminal and tab-separated when piped. No cell is read as markup, and none moves the cursor.
    """
    shown = [[_printable(str(cell)) for cell in row] for row in (columns, *rows)]
    if not sys.stdout.isatty():
        for row in shown:
            print_text("\t".join(row) + "\n")
        return
    from rich.console import Console

    from xmic_cli.tables import draw

    draw(Console(), _printable(title), shown[0], shown[1:])


def _harmless(text: str) -> str:
    """Write out the control characters of a text of several lines."""
    return "\n".join(_printable(line) for line in text.split("\n"))


def _printable(text: str) -> str:
    """Write out control characters, a tab as \\t.

    Names from the files of others must not control the terminal.
    """
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda found: repr(found[0])[1:-1], text)


class LineProgress:
    """Progress as plain lines, for logs and pipes.

    At most one line is printed per tenth of the work.
    """

    def __init__(self) -> None:
        self._what, self._total, self._done, self._said, self._state = "", 0, 0, -1, ""

    def start(self, what: str, total: int) -> None:
        """Start a piece of work of ``total`` steps."""
        self._what, self._total, self._done, self._said, self._state = what, total, 0, -1, ""

    def advance(self, steps: int = 1) -> None:
        """Count steps; print a line when another tenth is done."""
        self._done += steps
        tenth = 10 * self._done // max(1, self._total)
        if tenth > self._said:
            self._said = tenth
            note(f"{self._what}: {self._done}/{self._total}{self._state}")

    def note(self, text: str) -> None:
        """Print a message for the user."""
        note(text)

    def state(self, text: str) -> None:
        """Keep the state, and print it with the next tenth."""
        self._state = f" ({text})"

    def finish(self) -> None:
        """End the work without another line."""


class BarProgress:
    """Progress as a bar on a terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(20),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[state]}", markup=False),
            console=Console(stderr=True),
        )
        self._task: Any = None

    def start(self, what: str, total: int) -> None:
        """Show a bar for a piece of work."""
        self._bar.start()
        self._task = self._bar.add_task(what, total=total, state="")

    def advance(self, steps: int = 1) -> None:
        """Move the bar."""
        if self._task is not None:
            self._bar.advance(self._task, steps)

    def note(self, text: str) -> None:
        """Print a message above the bar."""
        self._bar.console.print(_harmless(text), markup=False, highlight=False)

    def state(self, text: str) -> None:
        """Show the state behind the bar, as far as it fits."""
        if self._task is not None:
            self._bar.update(self._task, state=_printable(text))

    def finish(self) -> None:
        """End the bar and leave it on the screen."""
        self._bar.stop()


def progress() -> LineProgress | BarProgress:
    """Choose a bar on a terminal, and lines elsewhere."""
    return BarProgress() if sys.stderr.isatty() else LineProgress()
