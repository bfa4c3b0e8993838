"""Leave out the options of commands that are not called."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from copy import copy

import typer
from typer.models import CommandInfo


def words_of(arguments: list[str] | None) -> Collection[str] | None:
    """Return the words that may name a command.

    None for a shell's completion, which may ask for any.
    """
    completes = any(name.startswith("_") and name.endswith("_COMPLETE") for name in os.environ)
    return None if completes else set(sys.argv[1:] if arguments is None else arguments)


def with_asked_options(group: typer.Typer, words: Collection[str]) -> typer.Typer:
    """Copy an app without the options of commands that no word names.

    Reading all options takes a tenth of the time of ``xmic --help``, which shows none of them.

    Args:
        group: the app; every command has its name and its help.
        words: of the command line.
    """
    asked = copy(group)
    asked.registered_commands = [
        command if command.name is None or command.name in words else _without_options(command)
        for command in group.registered_commands
    ]
    asked.registered_groups = []
    for item in group.registered_groups:
        inner = copy(item)
        if item.typer_instance is not None:
            inner.typer_instance = with_asked_options(item.typer_instance, words)
        asked.registered_groups.append(inner)
    return asked


def _without_options(command: CommandInfo) -> CommandInfo:
    bare = copy(command)
    bare.callback = _uncalled
    return bare


def _uncalled() -> None:
    """Stand for a command that no word names, so nothing calls it."""
