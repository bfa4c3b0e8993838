from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.engine.shards import read_rows
from pipelines.engine.workspace import Workspace
from xmic_cli.app import run

_Capture = pytest.CaptureFixture[str]


def _json(capsys: _Capture, *arguments: str) -> dict[str, Any]:
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_table_finds_its_videos_beside_it_and_maps_columns(here: Path, capsys: _Capture) -> None:
    (here / "mine").mkdir()
    (here / "mine" / "a.mp4").touch()
    (here / "mine" / "clips.tsv").write_text("path\tfrom\tobject\na.mp4\t1\tcup\nb.mp4\t2\tpan\n../c.mp4\t3\tpan\n")
    arguments = ["prepare", "table", "test=mine/clips.tsv", "--name", "mine", "--column", "video=path"]
    found = _json(capsys, *arguments, "--column", "start_s=from", "--column", "noun=object")
    assert found["splits"]["test"] == {
        "clips": 2,
        "rejects": 1,
        "reject_reasons": {"unsafe_path": 1},
        "first_rejects": {
            "unsafe_path": {
                "file": "clips.tsv",
                "row": 4,
                "detail": "'../c.mp4' does not stay below a video root (--videos)",
            }
        },
        "rejects_file": "xmic-work/manifests/mine/test/rejects.parquet",
        "videos": 2,
        "missing_videos": 1,
        "classes_present": {"noun": 2, "verb": 0},
        "overlaps": {label: {"clips": 0, "share": 0.0} for label in ("noun", "verb")},
        "findings": [],
    }
    assert Workspace.open(here / "xmic-work").datasets["mine"].roots == (str(here / "mine"),)
    (here / "nouns.txt").write_text("pan\ncup\nwok\n")
    again = _json(capsys, *arguments, "--column", "noun=object", "--nouns", "nouns.txt")
    assert again["classes"] == {"noun": 3, "verb": 0}
    clips = read_rows(here / "xmic-work/manifests/mine/test/clips.parquet")
    assert clips.column("noun_class").to_pylist() == [1, 0]
