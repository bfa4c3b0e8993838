"""Print lines for the user on stderr, without control characters."""

from __future__ import annotations

import re
import threading

import typer

SHOWN = threading.Event()
"""Set as soon as the user sees anything."""


def note(text: str) -> None:
    """Print a line for the user on stderr."""
    SHOWN.set()
    typer.echo(harmless(text), err=True)


def harmless(text: str) -> str:
    """Write out the control characters of a text of several lines."""
    return "\n".join(printable(line) for line in text.split("\n"))


def printable(text: str) -> str:
    """Write out control characters, a tab as \\t.

    Names from the files of others must not control the terminal.
    """
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda found: repr(found[0])[1:-1], text)
