"""Every method on Pocket Kitchens through the command line, and every output: its columns, units and names."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.engine.shards import read_rows
from pipelines.methods import METHODS
from xmic_cli.app import run

Call = Callable[..., Any]
QUICK = {"vita-clip": ["--set", "batch=8", "--set", "frames=8", "--label", "noun"], "cocoop": ["--label", "noun"]}
"""What is cut where a step is dear."""


@pytest.fixture(scope="module")
def work(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace of a small demo, to write into."""
    return Path(shutil.copytree(demo / "work", tmp_path_factory.mktemp("every") / "work", symlinks=True))


@pytest.fixture
def call(work: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    """``call("evaluate", …)``: what the command prints with --json."""

    def made(*arguments: str) -> Any:
        capsys.readouterr()
        fixed = ["--fixed-frames"] if arguments[0] == "train" and "zero-shot" not in arguments else []
        assert run([*arguments, *fixed, "-w", str(work), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return made


@pytest.mark.parametrize("method", [name for name in METHODS if name not in ("zero-shot", "xmic")])
def test_every_other_method_trains_and_is_evaluated_across(method: str, call: Call) -> None:
    more = QUICK.get(method, [])
    trained = call("train", "epic", "--method", method, "--classify", "hand", "--set", "epochs=1", *more)
    found = call("evaluate", trained["run"], "--cross", "ego4d")
    assert [result["target"]["dataset"] for result in found["results"]] == ["epic", "ego4d"]
    for result in found["results"]:
        assert result["run"]["method"] == method
        for numbers in result["labels"].values():
            assert (numbers["n_evaluated"], numbers["n_official"]) == (16, 16)
            assert 0 <= numbers["top1"] <= numbers["top5"] <= 100


def test_the_report_has_every_table_in_every_form(call: Call, work: Path) -> None:
    written = call("report", "--name", "all")
    assert [table["table"] for table in written["tables"]] == [1, 2]
    for table in written["tables"]:
        for section in table["sections"]:
            assert {section["source"], section["cross"].split()[0]} == {"epic", "ego4d"}
            for row in section["rows"]:
                for cell in row["cells"].values():
                    assert set(cell) >= {"percent", "sd", "low", "high", "n_evaluated", "n_official", "paper"}
                    assert cell["paper"] is None  # a drawn world by the same name is not what the paper measured
                    assert cell["percent"] is None or 0 <= cell["percent"] <= 100
    folder = work / "reports/all"
    with (folder / "tables/results.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 4
    assert {"method", "seed", "run", "recipe", "noun within %", "noun hm low", "verb cross n_evaluated"} <= set(rows[0])
    for number in (1, 2):
        assert "\\toprule" in (folder / f"tables/table{number}.tex").read_text("utf-8")
    page = (folder / "index.html").read_text("utf-8")
    for section in ("accuracy", "tables", "epochs", "classes", "provenance"):  # 16 clips may leave no answer changed
        assert f'id="{section}"' in page
    assert len(page) < 15e6


def test_predictions_of_new_footage_are_those_of_the_evaluation(call: Call, demo: Path, work: Path) -> None:
    (run_folder,) = (work / "runs").glob("xmic-recommended-epic-*")
    video = next((demo / "world/EPIC-KITCHENS").rglob("*.MP4"))
    found = call("predict", str(video), "--run", run_folder.name, "--window", "2", "--noun", "cup", "--noun", "kettle")
    clips = found["clips"]
    assert len(clips) >= 2
    for clip in clips:
        assert sorted(answer["name"] for answer in clip["nouns"]) == ["cup", "kettle"]
        assert sum(answer["probability"] for answer in clip["nouns"]) == pytest.approx(1, abs=1e-5)
        assert 0 <= clip["start_s"] < clip["stop_s"]


def test_a_run_is_exported_used_elsewhere_scored_and_stands_in_a_leaderboard(
    call: Call, demo: Path, work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run_folder,) = (work / "runs").glob("xmic-recommended-epic-*")
    exported = call("export", run_folder.name, "--into", str(tmp_path / "out"))
    assert {"README.md", "noun/weights.safetensors", "verb/classes.json"} <= set(exported["files"])
    video = next((demo / "world/EPIC-KITCHENS").rglob("*.MP4"))
    elsewhere = ["-w", str(tmp_path / "elsewhere"), "--window", "2", "--top", "99", "--json"]
    capsys.readouterr()
    assert run(["predict", str(video), "--run", str(tmp_path / "out"), *elsewhere]) == 0
    clip = json.loads(capsys.readouterr().out)["clips"][0]
    assert (len(clip["nouns"]), len(clip["verbs"])) == (28, 13)
    assert (tmp_path / "elsewhere/cache/predict").is_dir()
    predictions = work / "evaluations" / run_folder.name / "ego4d-val/predictions.parquet"
    assert read_rows(predictions).num_rows == 16
    cards = tmp_path / "cards"
    options = ["--dataset", "ego4d", "--name", "theirs", "--source", "epic", "--card-to", str(cards)]
    call("score", str(predictions), *options)
    shutil.copyfile(predictions.with_name("card.json"), cards / "ours.card.json")
    capsys.readouterr()
    assert run(["leaderboard", str(cards), "--json"]) == 0
    (board,) = json.loads(capsys.readouterr().out)["boards"]
    first, second = board["cards"]
    assert "noun top1" in board["columns"]
    assert first["numbers"]["noun top1"] == second["numbers"]["noun top1"]
    assert {first["model"]["name"], second["model"]["name"]} == {"theirs", run_folder.name}
