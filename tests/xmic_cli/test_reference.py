"""The reference pages: they are those that the code gives, and name every command, option and key."""

from __future__ import annotations

import re
from typing import Any

import pytest
import typer

from pipelines.chain.config import DATASETS, TABLES, keys_of
from xmic_cli.app import app
from xmic_cli.reference import DOCS, commands, pages


@pytest.mark.parametrize("name", ["commands.md", "xmic-toml.md"])
def test_the_committed_page_is_what_the_code_gives(name: str) -> None:
    written = pages()[name]
    assert (DOCS / name).read_text("utf-8") == written, f"docs/{name} is not current: run python -m xmic_cli.reference"


def _by_typer(group: Any, before: str = "") -> dict[str, set[str]]:
    """Command → its flags, as the program itself takes them."""
    found: dict[str, set[str]] = {}
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found |= _by_typer(command, f"{before}{name} ")
        else:
            options = [item for item in command.params if item.param_type_name == "option"]
            found[before + name] = {flag for item in options for flag in (*item.opts, *item.secondary_opts)}
    return found


def test_it_reads_the_flags_that_the_program_takes() -> None:
    read = {
        command.name: {name for item in command.parameters for name in item.names if name.startswith("-")}
        for command in commands()
    }
    assert read == _by_typer(typer.main.get_command(app))


def test_the_page_of_commands_has_a_section_and_a_link_for_each() -> None:
    page = pages()["commands.md"]
    for name in _by_typer(typer.main.get_command(app)):
        assert f"\n## xmic {name}\n" in page
        assert f"(#xmic-{name.replace(' ', '-')})" in page


def test_the_page_of_keys_has_every_key_of_every_table() -> None:
    page = pages()["xmic-toml.md"]
    heads = {f"[[{name}]]" if name == "train" else f"[{name}]": kind for name, kind in TABLES.items()}
    for head, kind in heads.items():
        section = page.partition(f"\n## {head}\n")[2].partition("\n## ")[0]
        listed = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
        assert listed == keys_of(kind)
    datasets = page.partition("\n## [[dataset]]\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", datasets, re.MULTILINE)) == {
        key for kind in DATASETS.values() for key in keys_of(kind)
    }
