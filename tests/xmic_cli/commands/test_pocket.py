from __future__ import annotations

import json
from pathlib import Path

import pytest

from pocket_kitchens.world import SIZES, Size
from xmic_cli.app import run

_Capture = pytest.CaptureFixture[str]


def test_a_world_is_built_once_and_says_how_much_the_noun_gives_away(
    tmp_path: Path, capsys: _Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SIZES, "demo", Size(2, 1))
    arguments = ["pocket", "build", str(tmp_path / "world"), "--workers", "2"]
    assert run(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(";")[0] for line in lines] == [
        "epic: 2 training and 1 test clips in 2 videos",
        "ego4d: 2 training and 1 test clips in 2 videos",
    ]
    assert all("the noun alone gives the verb of" in line for line in lines)
    assert run([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["made"] == 0
    assert run(arguments) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "nothing to render: every video was there"


def test_an_unknown_size_is_a_wrong_call(tmp_path: Path, capsys: _Capture) -> None:
    assert run(["pocket", "build", str(tmp_path), "--size", "huge"]) == 2
    assert capsys.readouterr().err == "error: --size huge: expected small, demo, compact, medium or full\n"
