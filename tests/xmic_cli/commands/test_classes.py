from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import pytest

from xmic_cli.app import run

_Capture = pytest.CaptureFixture[str]
NOUNS = {"source": ["oven", "cup", "jar", "=1+1"], "target": ["=1+1", "[red]cup[/red]", "jar", "oven", "@sink"]}
CLIPS = {"source": ["train,oven", "train,oven", "val,jar"], "target": ["val,oven", "val,@sink", "test,jar"]}


@pytest.fixture
def workspace(tmp_path: Path, capsys: _Capture) -> str:
    """Two prepared datasets whose class names are not of our choosing."""
    work = str(tmp_path / "work")
    for name, nouns in NOUNS.items():
        rows = [f"a.mp4,{i},{i + 1},put,{c.split(',')[1]},{c.split(',')[0]}" for i, c in enumerate(CLIPS[name])]
        (tmp_path / f"{name}.csv").write_text("\n".join(["video,start_s,stop_s,verb,noun,split", *rows]) + "\n")
        (tmp_path / f"{name}.txt").write_text("\n".join(nouns) + "\n")
        table, classes = str(tmp_path / f"{name}.csv"), str(tmp_path / f"{name}.txt")
        assert run(["prepare", "table", table, "--name", name, "--nouns", classes, "-w", work]) == 0
    capsys.readouterr()
    return work


def _json(capsys: _Capture, *arguments: str) -> dict:
    assert run(["classes", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_summary_comes_first_then_a_row_a_class(workspace: str, capsys: _Capture) -> None:
    sha256 = _json(capsys, "source", "target", "-w", workspace)["labels"]["noun"]["sha256"]
    assert run(["classes", "source", "target", "--label", "noun", "-w", workspace]) == 0
    output = capsys.readouterr()
    assert output.out.splitlines() == [
        f"noun classes, exact rule: sha256 {sha256}",
        "label\tpart\tclasses of source\tclasses of target\twith clips\tclips",
        "noun\tshared\t3\t3\t1\t1",
        "noun\tshared, supported\t\t1\t1\t1",
        "noun\tshared, unsupported\t\t2\t0\t0",
        "noun\tnovel\t1\t2\t1\t1",
        "label\tid\tname\tpart\tin source\ttrain clips\tclips",
        "noun\t0\t=1+1\tunsupported\t=1+1\t0\t0",
        "noun\t1\t[red]cup[/red]\tnovel\t\t0\t0",
        "noun\t2\tjar\tunsupported\tjar\t0\t0",
        "noun\t3\toven\tsupported\toven\t2\t1",
        "noun\t4\t@sink\tnovel\t\t0\t1",
    ]
    assert output.err == ""


def test_what_is_not_known_is_a_dash_and_said(workspace: str, capsys: _Capture) -> None:
    assert run(["classes", "target", "source", "--label", "noun", "-w", workspace]) == 0
    output = capsys.readouterr()
    assert "noun\tshared, supported\t\t–\t–\t–" in output.out
    assert output.err == "target has no prepared train split: which shared classes are supported is not known\n"


def test_the_csv_is_one_table_with_the_hash_in_every_row_and_no_formula(workspace: str, capsys: _Capture) -> None:
    found = _json(capsys, "source", "target", "-w", workspace)
    assert run(["classes", "source", "target", "--csv", "-w", workspace]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["name"] for row in rows] == ["'=1+1", "[red]cup[/red]", "jar", "oven", "'@sink", "put"]
    assert rows[0]["matches"] == "'=1+1"
    for row in rows:
        assert row["sha256"] == found["labels"][row["label"]]["sha256"]
        assert (row["source"], row["target"], row["rule"], row["split"]) == ("source", "target", "exact", "val")


def test_on_a_terminal_names_are_shown_as_they_are(
    workspace: str, capsys: _Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run(["classes", "source", "target", "-w", workspace]) == 0
    text = capsys.readouterr().out
    assert "[red]cup[/red]" in text
    assert "─" in text


def test_the_split_and_the_rule_can_be_chosen(workspace: str, capsys: _Capture) -> None:
    found = _json(capsys, "source", "target", "--split", "test", "--rule", "semantic", "-w", workspace)
    assert (found["rule"], found["split"], sorted(found["labels"])) == ("semantic", "test", ["noun", "verb"])
    assert found["labels"]["noun"]["parts"]["unsupported"] == {"classes": 2, "with_clips": 1, "clips": 1}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--label", "adverb"], 2, "--label adverb: expected noun, verb or both"),
        (["--rule", "near"], 2, "--rule near: expected exact or semantic"),
        (["--json", "--csv"], 2, "--json --csv: choose one of them"),
        (["--split", "dev"], 2, "split 'dev': expected train, val (or validation) or test"),
        (["--split", "train"], 5, "target has no prepared train split. Run xmic prepare for it."),
    ],
)
def test_wrong_words_are_named_with_the_right_ones(
    workspace: str, capsys: _Capture, arguments: list[str], code: int, message: str
) -> None:
    assert run(["classes", "source", "target", "-w", workspace, *arguments]) == code
    assert message in capsys.readouterr().err


def test_a_dataset_that_is_not_prepared_is_named(workspace: str, capsys: _Capture) -> None:
    assert run(["classes", "source", "nowhere", "-w", workspace]) == 5
    assert "nowhere has no prepared split" in capsys.readouterr().err
