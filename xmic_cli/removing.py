"""Show what a command would remove, and ask before it does."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Remove it without asking.")]
OnlyShow = Annotated[bool, typer.Option("--dry-run", "-n", help="Print what would be removed, and remove nothing.")]


def may_remove(yes: bool, json: bool) -> bool:
    """Ask on a terminal whether to remove what was printed.

    ``--yes`` answers beforehand.

    Raises:
        UsageError: nobody can be asked.
    """
    from data_manifests.errors import UsageError

    if yes:
        return True
    if json or not sys.stdin.isatty():
        raise UsageError("nothing was removed: expected --yes to remove it, or --dry-run to see it only")
    return typer.confirm("Remove this?", err=True)


def size(count: float) -> str:
    """Write a number of bytes: '1.2 GB'."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
