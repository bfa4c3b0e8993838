"""What a person sees: progress and notes on stderr, results on stdout."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from typing import Any

import typer

from xmic_cli.disk_errors import STDOUT


def note(text: str) -> None:
    """A line for a person, on stderr."""
    typer.echo(_harmless(text), err=True)


def print_text(text: str) -> None:
    """Text on stdout as it is.

    Raises:
        OSError: stdout can not be written to; its file name says so.
    """
    try:
        typer.echo(text, nl=False)
    except OSError as error:
        error.filename = error.filename or STDOUT
        raise


def emit(value: Any, as_json: bool, lines: Sequence[str] = ()) -> None:
    """The result, on stdout: JSON when asked for, else the given lines."""
    if as_json:
        print_text(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")
    else:
        for line in lines:
            print_text(_harmless(line) + "\n")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table on stdout: drawn on a terminal, tab-separated when piped. Nothing in it is markup or moves the cursor."""
    shown = [[_printable(str(cell)) for cell in row] for row in (columns, *rows)]
    if not sys.stdout.isatty():
        for row in shown:
            print_text("\t".join(row) + "\n")
        return
    from rich.console import Console

    from xmic_cli.tables import draw

    draw(Console(), _printable(title), shown[0], shown[1:])


def _harmless(text: str) -> str:
    """The same for text of several lines."""
    return "\n".join(_printable(line) for line in text.split("\n"))


def _printable(text: str) -> str:
    """Control characters written out, a tab as \\t: names from files of others must not steer a terminal."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda found: repr(found[0])[1:-1], text)


class LineProgress:
    """Progress as plain lines, at most one for every tenth of the work: for logs and pipes."""

    def __init__(self) -> None:
        self._what, self._total, self._done, self._said, self._state = "", 0, 0, -1, ""

    def start(self, what: str, total: int) -> None:
        """Begin."""
        self._what, self._total, self._done, self._said, self._state = what, total, 0, -1, ""

    def advance(self, steps: int = 1) -> None:
        """Say so when another tenth is done."""
        self._done += steps
        tenth = 10 * self._done // max(1, self._total)
        if tenth > self._said:
            self._said = tenth
            note(f"{self._what}: {self._done}/{self._total}{self._state}")

    def note(self, text: str) -> None:
        """A line."""
        note(text)

    def state(self, text: str) -> None:
        """To be said with the next tenth."""
        self._state = f" ({text})"

    def finish(self) -> None:
        """Nothing more to say."""


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
        """Show a bar."""
        self._bar.start()
        self._task = self._bar.add_task(what, total=total, state="")

    def advance(self, steps: int = 1) -> None:
        """Move the bar."""
        if self._task is not None:
            self._bar.advance(self._task, steps)

    def note(self, text: str) -> None:
        """A line above the bar."""
        self._bar.console.print(_harmless(text), markup=False, highlight=False)

    def state(self, text: str) -> None:
        """Behind the bar, as far as there is room."""
        if self._task is not None:
            self._bar.update(self._task, state=_printable(text))

    def finish(self) -> None:
        """Leave the bar as it stands."""
        self._bar.stop()


def progress() -> LineProgress | BarProgress:
    """A bar on a terminal, lines elsewhere."""
    return BarProgress() if sys.stderr.isatty() else LineProgress()
