"""Options that several commands share, declared once as the fields of a dataclass."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any, get_type_hints

Command = Callable[..., None]


def spread(name: str, group: type) -> Callable[[Command], Command]:
    """Let a command take the fields of a dataclass as options of its own, after those it declares.

    Typer reads a command's options from its signature and knows no groups of them; this writes the signature.

    Args:
        name: the command's parameter that is given the dataclass.
        group: a dataclass each of whose fields has a default and the annotation of a Typer option.
    """

    def decorate(command: Command) -> Command:
        hints = get_type_hints(group, include_extras=True)
        shared = [
            inspect.Parameter(
                item.name, inspect.Parameter.KEYWORD_ONLY, default=item.default, annotation=hints[item.name]
            )
            for item in fields(group)
        ]
        declared = inspect.signature(command, eval_str=True).parameters.values()
        own = [item.replace(kind=inspect.Parameter.KEYWORD_ONLY) for item in declared if item.name != name]

        @functools.wraps(command)
        def call(**values: Any) -> None:
            given = group(**{item.name: values.pop(item.name) for item in shared})
            command(**values, **{name: given})

        call.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
        call.__annotations__ = {item.name: item.annotation for item in (*own, *shared)}
        return call

    return decorate
