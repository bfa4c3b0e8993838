from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from xmic_cli.app import app

_README = Path(__file__).resolve().parents[2] / "README.md"
_OF_SHARDS = {"decode", "detect-hands", "embed", "import-features"}


def _commands() -> Iterator[tuple[str, Any]]:
    """Every command with its full name."""
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        if not hasattr(command, "commands"):
            yield name, command
        for of_group, inner in getattr(command, "commands", {}).items():
            yield f"{name} {of_group}", inner


def _options() -> dict[str, set[str]]:
    """Command → its options; the readers of prepare are one command to the reader of a list."""
    return {
        "prepare" if name.startswith("prepare ") else name: {option for item in command.params for option in item.opts}
        for name, command in _commands()
    }


def test_the_readmes_list_of_shared_options_is_that_of_the_commands() -> None:
    text = _README.read_text(encoding="utf-8")
    listed = text[text.index("Every command has `--help`") :].split("\n\n")[1].replace("\n  ", " ")
    told: dict[str, set[str]] = {}
    for line in listed.split("\n"):
        words = re.findall(r"`([^`]+)`", line)
        named = {word for word in words if not word.startswith("--")}
        told |= {word.split()[0]: named for word in words if word.startswith("--")}
    options = _options()
    assert {option: {name for name, has in options.items() if option in has} - _OF_SHARDS for option in told} == told
    assert all(set(told) | {"--json"} <= options[name] for name in _OF_SHARDS)
    assert all("--json" in has for has in options.values())


def test_every_reader_has_the_same_shared_options() -> None:
    shared = ("--dry-run", "--limit", "--break-lock", "--workers", "--device", "--offline", "--json")
    for name, command in _commands():
        if name.startswith("prepare "):
            assert set(shared) <= {option for item in command.params for option in item.opts}, name
