"""Write the reference pages of commands and keys from the code.

python -m xmic_cli.reference          # writes docs/commands.md and docs/xmic-toml.md
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import typer
from typer.models import ArgumentInfo

from pipelines.chain.config import DATASETS, TABLES, Config, barred_keys
from pipelines.engine.command_lines import as_text
from pipelines.engine.options import CommandOnly, Doc, Option, Pairs, options_of
from xmic_cli.app import app

DOCS = Path(__file__).resolve().parents[1] / "docs"
_WRITTEN = "<!-- Written by python -m xmic_cli.reference: change the code, not this page. -->"

_PARAGRAPH = "\n\n"
_KINDS = {int: "INTEGER", float: "FLOAT", Path: "PATH"}

_SHARED = (
    *("--dry-run", "--limit", "--shard", "--retry-failed", "--max-failures", "--break-lock"),
    *("--wait-lock", "--allow-partial"),
    *("--workers", "--device", "--devices", "--offline", "--json"),
)
"""Options that several commands share, as the page lists them."""

_HEADS = {
    "dataset": "A dataset of the chain, one table each. `reader` says which keys it has besides the shared ones.",
    "decode": "The frames of a clip.",
    "hands": "The hand detector, or boxes to import. A dataset may have a table of its own, `[dataset.hands]`. "
    "`hands = false` looks for no hands.",
    "embed": "The encoder. A list of `encoder`, `v2`, `prompt` or `names` makes a grid.",
    "train": "A training, one table each. A list in place of one value makes a grid, also in `set`.",
    "evaluate": "What every run of the file is evaluated on, besides its own dataset.",
    "report": "The report of the file.",
}


@dataclass(frozen=True)
class Parameter:
    """Argument or option of a command, as its signature says.

    Attributes:
        names: flags of an option; the metavar of an argument.
        kind: type of one value.
        several: it takes any number of values.
        default: its default; :data:`inspect.Parameter.empty` where a value must be given.
        info: what Typer is told of it.
    """

    names: tuple[str, ...]
    kind: Any
    several: bool
    default: Any
    info: Any


@dataclass(frozen=True)
class Command:
    """Command with its full name, help text and parameters."""

    name: str
    text: str
    parameters: tuple[Parameter, ...]


def commands(group: typer.Typer = app, before: str = "") -> Iterator[Command]:
    """Yield every command of an app.

    They are read from the signatures: what Typer makes of those differs from version to version.
    """
    for command in group.registered_commands:
        assert command.callback is not None
        signature = inspect.signature(command.callback, eval_str=True)
        found = tuple(filter(None, map(_parameter, signature.parameters.values())))
        yield Command(f"{before}{command.name}", inspect.cleandoc(command.callback.__doc__ or ""), found)
    for child in group.registered_groups:
        assert child.typer_instance is not None
        yield from commands(child.typer_instance, f"{before}{child.name} ")


def _parameter(item: inspect.Parameter) -> Parameter | None:
    """Read a parameter; None for what the user does not give, such as the context."""
    if get_origin(item.annotation) is not Annotated:
        return None
    hint, info = get_args(item.annotation)[:2]
    if get_origin(hint) in (Union, UnionType):
        hint = next(kind for kind in get_args(hint) if kind is not NoneType)
    several = get_origin(hint) is list
    kind = get_args(hint)[0] if several else hint
    if isinstance(info, ArgumentInfo):
        names: tuple[str, ...] = (info.metavar or item.name.upper(),)
    else:
        # In an annotation, the first flag is what Typer calls the default.
        given = [text for text in (info.default, *(info.param_decls or ())) if str(text).startswith("-")]
        flag = f"--{item.name.replace('_', '-')}"
        plain = [flag, flag.replace("--", "--no-", 1)] if kind is bool else [flag]
        names = tuple(name for text in given for name in text.split("/")) or tuple(plain)
    return Parameter(names, kind, several, item.default, info)


def pages() -> dict[str, str]:
    """Write the pages: name of the file → its text."""
    return {"commands.md": _commands_page(), "xmic-toml.md": _toml_page()}


def _commands_page() -> str:
    found = sorted(commands(), key=lambda command: command.name)
    lines = [_WRITTEN, "# Commands", ""]
    lines += ["| command | what it does |", "|---|---|"]
    lines += [
        f"| [`xmic {item.name}`](#{_anchor(item.name)}) | {_cell(item.text.split(_PARAGRAPH)[0])} |" for item in found
    ]
    lines += ["", "Before any command: `-w DIR` (the workspace), `--version` and `--install-completion`.", ""]
    lines += ["## Options that several commands share", "", "| option | commands |", "|---|---|"]
    for option in _SHARED:
        having = [item.name for item in found if any(option in one.names for one in item.parameters)]
        every = len(having) == len(found)
        # The readers of prepare are one command to the reader of a list.
        having = list(dict.fromkeys("prepare" if name.startswith("prepare ") else name for name in having))
        lines.append(f"| `{option}` | {'all' if every else ', '.join(f'`{name}`' for name in having)} |")
    for item in found:
        arguments = [one.names[0] for one in item.parameters if isinstance(one.info, ArgumentInfo)]
        lines += ["", f"## xmic {item.name}", ""]
        lines += [line for part in item.text.split(_PARAGRAPH) for line in (" ".join(part.split()), "")]
        lines += [f"    {' '.join(['xmic', item.name, *arguments, '[OPTIONS]'])}", ""]
        lines += ["| option | value | what it is |", "|---|---|---|"]
        lines += [_row(one) for one in item.parameters]
    return "\n".join(lines) + "\n"


def _toml_page() -> str:
    lines = [_WRITTEN, "# Keys of xmic.toml", ""]
    lines += [
        "`xmic run FILE` runs the whole chain from one file. Relative paths are relative to the folder of the file.",
        "A key is the option of the same name, with `_` in place of `-`. An unknown key is refused, with the nearest",
        "known one.",
        "",
        "## Top of the file",
        "",
        "| key | type | default | what it is |",
        "|---|---|---|---|",
        f'| `workspace` | path | `"{Config.model_fields["workspace"].default}"` | Folder of all artifacts. |',
        f'| `max_failures` | text | `"{Config.model_fields["max_failures"].default}"` '
        "| Failed rows allowed before a stage ends the chain: a number or P%. |",
    ]
    lines += _section("dataset", "[[dataset]]", None)
    shared = _shared_keys()
    lines += _table([option for option in _options(DATASETS["epic"]) if option.name in shared])
    for reader, kind in DATASETS.items():
        own = [option for option in _options(kind) if option.name not in shared]
        title = "package.module:Class" if reader == "own" else reader
        lines += ["", f'### [[dataset]] with reader = "{title}"', "", *_table(own)]
    for name, kind in TABLES.items():
        lines += _section(name, f"[[{name}]]" if name == "train" else f"[{name}]", kind)
    return "\n".join(lines) + "\n"


def _section(name: str, title: str, kind: type | None) -> list[str]:
    lines = ["", f"## {title}", "", _HEADS[name], ""]
    if kind is None:
        return lines
    lines += _table(_options(kind))
    barred = barred_keys(kind)
    if barred:
        lines += ["", "On the command line only:", ""]
        lines += [f"- `{option}`, because {why}" for option, why in barred.items()]
    return lines


def _shared_keys() -> set[str]:
    """Names of the keys that the tables of all readers have with the same meaning."""
    of_all = [{option.name: _told(option) for option in _options(kind)} for kind in DATASETS.values()]
    return {name for name, told in of_all[0].items() if all(other.get(name) == told for other in of_all)}


def _told(option: Option) -> tuple[str, str]:
    return _type_of(option), _doc(option)


def _options(kind: type) -> list[Option]:
    return [option for option in options_of(kind) if not option.mark(CommandOnly)]


def _table(options: list[Option]) -> list[str]:
    lines = ["| key | type | default | what it is |", "|---|---|---|---|"]
    for option in options:
        default = "needed" if option.required else _default(option.default)
        lines.append(f"| `{option.name}` | {_type_of(option)} | {default} | {_cell(_doc(option))} |")
    return lines


def _doc(option: Option) -> str:
    doc = option.mark(Doc)
    return doc.text if doc else ""


def _type_of(option: Option) -> str:
    if option.choices:
        one = ", ".join(f'`"{choice}"`' for choice in option.choices)
    elif option.mark(Pairs) or option.name == "hands":
        one = "table"
    else:
        names = {"bool": "true or false", "int": "whole number", "float": "number", "Path": "path"}
        one = names.get(getattr(option.kind, "__name__", ""), "text")
        one += f", {option.expected}" if option.word or any(bound is not None for bound in option.bounds) else ""
    return f"list of {one}" if option.several else one


def _default(value: Any) -> str:
    if value is None or value == () or (isinstance(value, Mapping) and not value):
        return "–"
    return f'`"{value}"`' if isinstance(value, str) else f"`{as_text(value)}`"


def _anchor(name: str) -> str:
    return f"xmic-{name.replace(' ', '-')}"


def _row(item: Parameter) -> str:
    names = ", ".join(f"`{_cell(name)}`" for name in item.names)
    return f"| {names} | {_value(item)} | {_cell(item.info.help or '')} |"


def _value(item: Parameter) -> str:
    """Value that an option takes, and its default where that is one plain value."""
    default = f"default `{item.default}`"
    plain = isinstance(item.default, str | int | float) and not isinstance(item.default, bool)
    if item.kind is bool:
        return ""
    if isinstance(item.info, ArgumentInfo):
        return default if plain else ""
    kind = item.info.metavar or _KINDS.get(item.kind, "TEXT")
    value = f"`{_cell(kind)}`, {default}" if plain else f"`{_cell(kind)}`"
    return f"{value}, may be repeated" if item.several and "repeated" not in str(item.info.help) else value


def _cell(text: str) -> str:
    """Text of a cell: one line, whose bars end no cell."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def main() -> None:
    """Write the pages into docs/."""
    for name, text in pages().items():
        (DOCS / name).write_text(text, "utf-8")
        print(DOCS / name)


if __name__ == "__main__":
    main()
