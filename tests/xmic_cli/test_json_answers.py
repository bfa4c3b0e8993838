"""Every answer of --json is one document with a schema number; an error is an answer too."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from xmic_cli import console
from xmic_cli.app import app, run
from xmic_cli.errors import exit_code_of

DOCS = Path(__file__).resolve().parents[2] / "docs" / "json.md"


def _answer(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["status", "-w", "none"], 5, "none: no dataset is prepared in this workspace"),
        (["train", "--seed", "-1"], 2, "Invalid value for '--seed'"),
        (["train", "--nonsense"], 2, "No such option"),
        (["embed"], 2, "Missing option '--encoder'"),
        (["run", "none.toml"], 3, "none.toml: no such file"),
        (["embed", "--encoder", "x", "--prompt", "y"], 2, "expected one {}"),
    ],
)
def test_an_error_is_one_document_with_its_exit_code(
    words: list[str],
    code: int,
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run([*words, "--json"]) == code
    answer = _answer(capsys)
    assert answer.keys() == {"schema", "error", "exit_code"}
    assert (answer["schema"], answer["exit_code"]) == (console.JSON_SCHEMA, code)
    assert text in answer["error"]
    assert run(words) == code
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (ValueError("a bug"), 1)])
def test_an_interruption_and_a_bug_are_answers_too(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    console.ANSWERED.clear()

    def call() -> int:
        raise error

    assert exit_code_of(call, as_json=True) == code
    assert _answer(capsys)["exit_code"] == code


def test_an_error_after_the_answer_adds_no_second_document(capsys: pytest.CaptureFixture[str]) -> None:
    console.ANSWERED.clear()

    def call() -> int:
        console.emit({"a": 1}, True)
        raise ValueError("later")

    assert exit_code_of(call, as_json=True) == 1
    assert _answer(capsys) == {"schema": console.JSON_SCHEMA, "a": 1}


def test_every_answer_has_the_schema_number_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", "-w", str(tmp_path), "--json"]) == 0
    assert capsys.readouterr().out.startswith('{\n  "schema": 1,\n')


def _commands(group: Any, path: tuple[str, ...] = ()) -> list[str]:
    found = []
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        found += _commands(command, (*path, name)) if inner else []
        if not inner or command.invoke_without_command:
            found.append(" ".join((*path, name)))
    return found


def test_the_page_about_json_names_every_command_and_the_number_of_today() -> None:
    text = DOCS.read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `xmic ([^`]+)`", text, re.MULTILINE))
    assert named == set(_commands(typer.main.get_command(app)))
    assert f'"schema": {console.JSON_SCHEMA}' in text
