"""Turn the fields of dataclasses into options of a command."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Annotated, Any, get_type_hints

import typer

from pipelines.engine.options import (
    Argument,
    Completes,
    Doc,
    FileOnly,
    Group,
    Metavar,
    Option,
    Options,
    Pairs,
    option_of,
    options_of,
)
from xmic_cli.completion import COMPLETERS
from xmic_cli.settings import pairs, toml_settings

Command = Callable[..., None]


class _Spread:
    """Command whose signature is written when it is asked for: the list of commands needs none."""

    def __init__(self, command: Command) -> None:
        functools.update_wrapper(self, command, ("__module__", "__name__", "__qualname__", "__doc__"))
        self._command = command

    def __call__(self, **values: Any) -> None:
        declared = self._declared
        for name, item in declared.items():
            if _is_option(item):
                option = _single(item)
                values[name] = _value(option, values[name])
                option.check(values[name])
        built = {name: group(**_taken(group, values)) for name, group in _groups(declared).items()}
        self._command(**values, **built)

    @functools.cached_property
    def __signature__(self) -> inspect.Signature:
        groups = _groups(self._declared)
        written: list[inspect.Parameter] = []
        for name, item in self._declared.items():
            if name in groups:
                written += _parameters(groups[name])
            elif _is_option(item):
                written.append(_parameter(_single(item)))
            else:
                written.append(item.replace(kind=inspect.Parameter.KEYWORD_ONLY))
        return inspect.Signature(written)

    @property
    def __annotations__(self) -> dict[str, Any]:  # type: ignore[override]
        return {name: item.annotation for name, item in self.__signature__.parameters.items()}

    @functools.cached_property
    def _declared(self) -> Mapping[str, inspect.Parameter]:
        return inspect.signature(self._command, eval_str=True).parameters


def spread(command: Command) -> Command:
    """Replace each dataclass parameter of a command by its fields' options.

    Typer reads a command's options from its signature and knows no groups of them, so the signature is written here.
    The annotations of a dataclass of :class:`pipelines.engine.options.Options` say what each field is. A single
    parameter may have the same annotations. The fields of any other dataclass have those of Typer.
    """
    return _Spread(command)


def _groups(declared: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
    return {name: item.annotation for name, item in declared.items() if is_dataclass(item.annotation)}


def _is_option(item: inspect.Parameter) -> bool:
    return any(isinstance(mark, Doc) for mark in getattr(item.annotation, "__metadata__", ()))


def _single(item: inspect.Parameter) -> Option:
    default = MISSING if item.default is inspect.Parameter.empty else item.default
    return option_of(item.name, item.annotation, default)


@functools.cache
def _parameters(group: Any) -> list[inspect.Parameter]:
    if issubclass(group, Options):
        return [_parameter(option) for option in options_of(group) if not option.mark(FileOnly)]
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(item.name, inspect.Parameter.KEYWORD_ONLY, default=item.default, annotation=hints[item.name])
        for item in fields(group)
    ]


def _parameter(option: Option) -> inspect.Parameter:
    """Write an option as Typer reads it.

    The dataclass checks the choices, so that all commands list them in one style.
    """
    doc, group, metavar, table = option.mark(Doc), option.mark(Group), option.mark(Metavar), option.mark(Pairs)
    kind: Any = option.kind
    more: dict[str, Any] = {"help": doc.text if doc else None, "rich_help_panel": group.title if group else None}
    if option.choices:
        kind, choices = str, option.choices
        more |= {"metavar": f"[{'|'.join(choices)}]", "autocompletion": lambda: list(choices)}
    elif option.word is not None:
        kind, word = str, option.word
        more |= {"metavar": f"INTEGER|{word}", "autocompletion": lambda: [word]}
    elif kind in (int, float):
        least, _, most, _ = option.bounds
        more |= {"min": least, "max": most}
    if metavar:
        more["metavar"] = metavar.text
    if completes := option.mark(Completes):
        more["autocompletion"] = COMPLETERS[completes.what]
    if table:
        kind, more["metavar"] = str, table.form
    default: Any = inspect.Parameter.empty if option.required else option.default
    if option.several or table:
        kind = list[kind]
        default = default if option.required else list(default) or None
    if not option.required and default is None:
        kind = kind | None
    names = [] if option.mark(Argument) else [_names(option)]
    info = typer.Argument(**more) if option.mark(Argument) else typer.Option(*names, **more)
    return inspect.Parameter(
        option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info]
    )


def _names(option: Option) -> str:
    return f"{option.flag}/{option.flag.replace('--', '--no-', 1)}" if option.default is True else option.flag


def _taken(group: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Take a dataclass's values out of those of the command."""
    if not issubclass(group, Options):
        return {item.name: values.pop(item.name) for item in fields(group)}
    return {
        option.name: _value(option, values.pop(option.name))
        for option in options_of(group)
        if not option.mark(FileOnly)
    }


def _value(option: Option, value: Any) -> Any:
    table = option.mark(Pairs)
    if table is not None:
        read = toml_settings if table.typed else pairs
        return read(value or [], option.flag, table.form, table.example)
    if option.word is not None and value is not None:
        return _number_or_word(option, value)
    if option.several and option.choices:
        return tuple(word for part in value or () for word in part.split(","))
    return tuple(value or ()) if option.several else value


def _number_or_word(option: Option, text: str) -> Any:
    """Convert a value of an option that takes a word beside its numbers."""
    try:
        return option.kind(text)
    except ValueError:
        return text  # the word, or what the dataclass refuses
