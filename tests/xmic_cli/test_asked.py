from __future__ import annotations

from typing import Any

import pytest
import typer

from xmic_cli.app import app
from xmic_cli.asked import with_asked_options, words_of


def _leaves(command: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    inner = getattr(command, "commands", None)
    if inner is None:
        return {path: command}
    return {name: leaf for child in inner for name, leaf in _leaves(inner[child], (*path, child)).items()}


def _options(command: Any) -> list[tuple[str, ...]]:
    return [tuple(item.opts) for item in command.params]


def test_a_named_command_has_all_its_options_and_every_other_one_is_listed_without() -> None:
    whole = _leaves(typer.main.get_command(app))
    asked = _leaves(typer.main.get_command(with_asked_options(app, {"-w", "train", "prepare", "epic", "--help"})))
    assert list(asked) == list(whole)
    full = {path for path, command in asked.items() if command.params}
    assert full == {("train",), ("hands", "train"), ("prepare", "epic")}
    for path in full:
        assert _options(asked[path]) == _options(whole[path])


def test_the_app_itself_keeps_all_options() -> None:
    before = {path: _options(command) for path, command in _leaves(typer.main.get_command(app)).items()}
    with_asked_options(app, set())
    assert {path: _options(command) for path, command in _leaves(typer.main.get_command(app)).items()} == before


def test_a_completion_may_ask_for_any_command(monkeypatch: pytest.MonkeyPatch) -> None:
    assert words_of(["train", "--help"]) == {"train", "--help"}
    monkeypatch.setenv("_XMIC_COMPLETE", "complete_bash")
    assert words_of([]) is None
