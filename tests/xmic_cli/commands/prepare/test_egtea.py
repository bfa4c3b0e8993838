from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.engine.shards import read_rows
from tests.data_manifests.egtea_files import SESSION, clip, line, write_egtea
from xmic_cli.app import run

_Capture = pytest.CaptureFixture[str]
_EGTEA = ["prepare", "egtea", "--annotations", "action_annotation", "--videos", "videos"]


@pytest.fixture
def egtea(here: Path) -> Path:
    """Two of the three test splits, with the file of the first clip."""
    write_egtea(here / "action_annotation", {"test_split1": [line(1)], "test_split2": [line(2, "1 1 3 1")]})
    file = here / "videos" / "cropped_clips" / SESSION / f"{clip(1)}.mp4"
    file.parent.mkdir(parents=True)
    file.touch()
    return here


def test_the_empty_class_of_code_and_paper_can_be_dropped(egtea: Path, capsys: _Capture) -> None:
    names = egtea / "xmic-work/manifests/egtea/classes_verb.parquet"
    assert run(_EGTEA) == 0
    assert read_rows(names).column("name").to_pylist() == ["", "Stir", "Fold in", "Lift Carry Off"]
    assert "  2 of 3 test splits (test_split1.txt, test_split2.txt): 2 clips" in capsys.readouterr().out
    assert run([*_EGTEA, "--drop-empty-class"]) == 0
    assert read_rows(names).column("name").to_pylist() == ["Stir", "Fold in", "Lift Carry Off"]
    clips = read_rows(egtea / "xmic-work/manifests/egtea/test/clips.parquet")
    assert clips.column("all_noun_classes").to_pylist() == [[3], [2, 0]]


def test_missing_clips_are_listed_by_their_place(egtea: Path, capsys: _Capture) -> None:
    assert run([*_EGTEA, "--list-needed"]) == 0
    assert capsys.readouterr().out == f"{SESSION}/{clip(2)}.mp4\n"
