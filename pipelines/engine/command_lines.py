"""Write command lines for messages, ready to be typed."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipelines.engine.options import Argument, FileOnly, Option, Options, options_of


def command_line(
    command: str, options: Options | None = None, *arguments: object, split: str | None = None, root: Path | None = None
) -> str:
    """Write a command line, quoted for the shell where needed.

    Args:
        command: name of the command, e.g. 'detect-hands'.
        options: options; those that differ from their defaults are written.
        arguments: words right after the command, e.g. the dataset.
        split: value of ``--split``; None leaves it out.
        root: folder of the workspace, for ``-w``; None leaves it out.
    """
    words = ["xmic", *command.split(), *map(str, arguments)]
    given = list(_given(options)) if options is not None else []
    words += [word for option, values in given if option.mark(Argument) for word in values]
    words += ["--split", split] if split is not None else []
    words += ["-w", str(root)] if root is not None else []
    words += [word for option, values in given if not option.mark(Argument) for word in values]
    return shlex.join(words)


def _given(options: Options) -> Iterator[tuple[Option, list[str]]]:
    """Yield the options that differ from their defaults, with their words."""
    for option in options_of(type(options)):
        value = getattr(options, option.name)
        if value == option.default or option.mark(FileOnly):
            continue
        if isinstance(value, bool):
            yield option, [option.flag if value else option.flag.replace("--", "--no-", 1)]
            continue
        if isinstance(value, Mapping):
            words = [f"{key}={as_text(item)}" for key, item in value.items()]
        else:
            words = [as_text(item) for item in (value if option.several else [value])]
        yield option, words if option.mark(Argument) else [part for word in words for part in (option.flag, word)]


def as_text(value: Any) -> str:
    """Write a value as the command line takes it."""
    if isinstance(value, list | tuple):
        return ",".join(map(as_text, value))
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def in_workspace(root: Path) -> str:
    """Return the option ``-w FOLDER``, quoted for the shell."""
    return f"-w {shlex.quote(str(root))}"
