from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from xmic_cli import console
from xmic_cli.progress import BarProgress, LineProgress

_Capture = pytest.CaptureFixture[str]


def test_results_go_to_stdout_and_notes_to_stderr(capsys: _Capture) -> None:
    console.note("for a person")
    console.emit({"a": 1}, False, ["one", "two"])
    assert capsys.readouterr() == ("one\ntwo\n", "for a person\n")


def test_what_a_file_says_does_not_steer_the_terminal(capsys: _Capture) -> None:
    console.note("row 3: \x1b[2Jclass\nsecond line")
    console.emit({}, False, ["noun \x1b]0;title\x07"])
    written = ("noun \\x1b]0;title\\x07\n", "row 3: \\x1b[2Jclass\nsecond line\n")
    assert capsys.readouterr() == written


def test_json_is_one_document_with_paths_and_any_script(capsys: _Capture) -> None:
    console.emit({"name": "küche 台所", "folder": Path("/x/y")}, True, ["not this"])
    output = capsys.readouterr()
    assert json.loads(output.out) == {"schema": 1, "name": "küche 台所", "folder": "/x/y"}
    assert "küche 台所" in output.out
    assert output.err == ""


def test_a_piped_table_is_tab_separated(capsys: _Capture) -> None:
    console.table("title", ["stage", "done"], [["decode", 3], ["[red]x", None]])
    assert capsys.readouterr() == ("stage\tdone\ndecode\t3\n[red]x\tNone\n", "")


def test_a_table_on_a_terminal_is_drawn_with_cells_as_they_are(
    capsys: _Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    console.table("[i]my title[/i]", ["[b]stage[/b]", "done"], [["[red]x[/red] :apple:", 3]])
    text = capsys.readouterr().out
    assert "[i]my title[/i]" in text
    assert "[b]stage[/b]" in text
    assert "[red]x[/red] :apple:" in text
    assert "\t" not in text


def test_a_table_is_as_wide_as_the_terminal_and_whole(capsys: _Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    console.table("title", ["method", "what"], [["xmic", "one word after the other until the line is full"]])
    text = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    assert max(len(line) for line in text.splitlines()) <= 40
    assert "".join(re.findall(r"\w", text)).endswith("methodwhatxmiconewordaftertheotheruntilthelineisfull")


@pytest.mark.parametrize("terminal", [True, False])
def test_control_characters_in_a_table_are_written_out(
    capsys: _Capture, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    console.table("title", ["name"], [["two\tcells \x1b]0;title\x07 küche"]])
    assert "two\\tcells \\x1b]0;title\\x07 küche" in capsys.readouterr().out


@pytest.mark.parametrize(("terminal", "kind"), [(True, BarProgress), (False, LineProgress)])
def test_a_bar_is_for_terminals_and_lines_for_logs(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, kind: type[object]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    assert isinstance(console.progress(), kind)
