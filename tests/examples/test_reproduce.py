"""Tables 1 to 3 on small trees in the official layouts: by their files, and by the commands of docs/reproduce.md.

Files and commands are taken as they are written, but for the encoder: the packaged one stands in for CLIP.
"""

from __future__ import annotations

import csv
import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.examples.conftest import CLIP, PACKAGED, ROOT
from xmic_cli.app import run

BASELINES = ["coop", "cocoop", "clip-adapter", "clip-adapter-temporal", "a5", "vita-clip"]
METHODS = {"zero-shot", *BASELINES, "xmic"}


def _commands(sequence: str) -> list[str]:
    """The commands of a marked block of the page, in order."""
    page = (ROOT / "docs" / "reproduce.md").read_text("utf-8")
    block = re.search(rf"<!-- sequence {re.escape(sequence)} -->\n```bash\n(.*?)```", page, re.DOTALL)
    assert block, f"docs/reproduce.md: no block after <!-- sequence {sequence} -->"
    return [line for line in block[1].splitlines() if line]


def _type(sequence: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Run the commands in the present folder; each must succeed."""
    for line in _commands(sequence):
        program, *words = shlex.split(line.replace(CLIP, PACKAGED))
        assert program == "xmic"
        assert run(words) == 0, f"{line}\n{capsys.readouterr().err}"


def _filled(folder: Path, table: int) -> dict[str, set[str]]:
    """Source → methods of a report's table, each with all of its numbers."""
    with (folder / "tables" / f"table{table}.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "ours"]
    shown: dict[str, set[str]] = {}
    for row in rows:
        if table != 2:
            assert row["percent"], row
            assert row["n_evaluated"] == row["n_official"]
        shown.setdefault(row["source"], set()).add(row["row"].split()[0])
    return shown


def _marks(folder: Path, table: int) -> set[str]:
    with (folder / "tables" / f"table{table}.csv").open(newline="") as file:
        return {row["marks"] for row in csv.DictReader(file) if row["kind"] == "ours"}


def test_the_files_of_tables_1_to_3_fill_their_tables(made_by_files):
    reports = made_by_files / "work" / "reports"
    assert _filled(reports / "table1", 1) == {"ego4d": METHODS, "epic": METHODS}
    assert _filled(reports / "table2", 2) == {"ego4d": METHODS, "epic": METHODS}
    assert _filled(reports / "table3", 3) == {"ego4d": METHODS}


def test_table_2_has_nothing_to_train_after_table_1(made_by_files, capsys):
    for number in (2, 1):
        assert run(["run", str(made_by_files / f"table{number}.toml"), "--dry-run"]) == 0
    assert "not trained yet" not in capsys.readouterr().out


def test_the_commands_for_tables_1_to_3_fill_them_with_the_same_runs(made_by_files, fresh_trees, capsys, monkeypatch):
    # Trained once: the commands must ask for the very runs that the files made, or they would train more.
    runs = shutil.copytree(made_by_files / "work" / "runs", fresh_trees / "xmic-work" / "runs", symlinks=True)
    before = {folder.name for folder in runs.iterdir()}
    # Some are evaluated already: --all must leave these, and make all others.
    for folder in (made_by_files / "work" / "evaluations").iterdir():
        if folder.name.startswith(("cocoop", "a5", "vita-clip", "clip-adapter")):
            shutil.copytree(folder, fresh_trees / "xmic-work" / "evaluations" / folder.name)
    monkeypatch.chdir(fresh_trees)
    for table in (1, 2, 3):
        _type(f"table {table}", capsys)
    assert {folder.name for folder in runs.iterdir()} == before
    reports = fresh_trees / "xmic-work" / "reports"
    assert _filled(reports / "table1", 1) == {"ego4d": METHODS, "epic": METHODS}
    assert _filled(reports / "table2", 2) == {"ego4d": METHODS, "epic": METHODS}
    # Those that were trained on EPIC come too; the paper has no row for them.
    assert _filled(reports / "table3", 3) == {"ego4d": METHODS, "epic": METHODS}
    assert _marks(reports / "table1", 1) == {""}


def test_the_commands_with_the_boxes_of_epic_fill_a_table_that_says_so(made_by_files, fresh_trees, capsys, monkeypatch):
    # Frames are the same whoever finds the hands.
    for folder in ("manifests", "frames"):
        for dataset in ("epic", "ego4d"):
            shutil.copytree(made_by_files / "work" / folder / dataset, fresh_trees / "xmic-work" / folder / dataset)
    monkeypatch.chdir(fresh_trees)
    commands = _commands("boxes of EPIC")
    assert commands[-2].endswith(" --allow-mixed")
    _type("boxes of EPIC", capsys)
    error = capsys.readouterr().err
    # Told when the second boxes are made, and before each training.
    assert error.count("warning: the boxes of ego4d are by boxes-ego4d-boxes, those of epic by epic-100doh.") == 2
    assert error.count("warning: the boxes of epic are by epic-100doh, those of ego4d by boxes-ego4d-boxes.") == 1
    report = fresh_trees / "xmic-work" / "reports" / "report"
    assert _filled(report, 1) == {"ego4d": {"xmic"}, "epic": {"xmic"}}
    assert _marks(report, 1) == {"M"}
    capsys.readouterr()
    shutil.rmtree(fresh_trees / "xmic-work" / "evaluations")
    assert run(shlex.split(commands[-2].removesuffix(" --allow-mixed"))[1:]) == 3
    assert "or pass --allow-mixed" in capsys.readouterr().err


def test_a_file_that_mixes_detectors_is_refused_before_anything_is_made(fresh_trees, trees, capsys):
    text = (trees / "table1.toml").read_text("utf-8")
    own = '[dataset.hands]\ndetector = "epic-100doh"\nboxes = "EPIC-KITCHENS"\n\n[hands]\n'
    (fresh_trees / "mixed.toml").write_text(text.replace("[hands]\n", own, 1), "utf-8")
    assert run(["run", str(fresh_trees / "mixed.toml")]) == 3
    error = capsys.readouterr().err
    assert "its hand boxes are by epic-100doh with " in error
    assert "allow_mixed = true" in error
    assert not (fresh_trees / "work").exists()
