from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from data_manifests.drawn_world import WORLD_FILE
from data_manifests.errors import InputError, UsageError
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.engine.shards import read_rows
from pipelines.engine.workspace import DatasetSettings, Workspace
from pipelines.evaluate.run import evaluate
from pipelines.evaluate.trained import TrainedRun, find_run
from pipelines.export.folder import Exported, export_run
from pipelines.report.collect import collect
from pipelines.train.options import TrainOptions
from pipelines.train.plan import plan_run
from pipelines.train.run import train_run
from tests.ended_process import ended_process


@pytest.fixture
def trained(embedded: Workspace) -> tuple[Workspace, TrainedRun]:
    planned = plan_run(embedded, TrainOptions("mine", set={"epochs": 2, "batch": 4}))
    train_run(embedded, planned, Machine(device="cpu"), Silent())
    return embedded, find_run(embedded, None)


def score(workspace: Workspace, run: TrainedRun) -> dict:
    targets = [("mine", "val"), ("other", "val")]
    found = evaluate(workspace, run, targets, Machine(device="cpu"), Silent())
    return {item.metrics.target.dataset: item.as_dict() for item in found}


@pytest.fixture
def exported(trained: tuple[Workspace, TrainedRun], tmp_path: Path) -> Exported:
    score(*trained)
    return export_run(*trained, tmp_path / "out", "mit")


def test_the_folder_holds_weights_configuration_classes_and_card(exported: Exported) -> None:
    of_heads = ("classes.json", "config.json", "summary.json", "weights.safetensors")
    expected = {f"{label}/{name}" for label in ("noun", "verb") for name in of_heads} | {"README.md"}
    there = {p.relative_to(exported.folder).as_posix() for p in exported.folder.rglob("*") if p.is_file()}
    assert there == expected | {"xmic.json"}
    assert set(exported.files) == expected


def test_classes_are_in_the_order_of_the_scores(exported: Exported, trained: tuple[Workspace, TrainedRun]) -> None:
    names = json.loads((exported.folder / "noun/classes.json").read_text("utf-8"))
    (file,) = (trained[0].root / "text/mine").glob("*/noun-bare.parquet")
    assert names == read_rows(file).column("name").to_pylist()


def test_an_exported_run_gives_the_scores_of_the_run(exported: Exported, trained: tuple[Workspace, TrainedRun]) -> None:
    workspace, run = trained
    file = workspace.root / "evaluations" / run.config["name"] / "other-val/predictions.parquet"
    before = read_rows(file)
    file.unlink()
    again = find_run(workspace, str(exported.folder))
    assert again.folder == exported.folder.resolve()
    score(workspace, again)
    assert read_rows(file).equals(before)


def test_nothing_of_this_machine_stands_in_it(exported: Exported, trained: tuple[Workspace, TrainedRun]) -> None:
    here = str(trained[0].root.parent).encode()
    for name in (*exported.files, "xmic.json"):
        assert here not in (exported.folder / name).read_bytes(), name


def test_the_card_has_front_matter_and_every_evaluation(
    exported: Exported, trained: tuple[Workspace, TrainedRun]
) -> None:
    card = (exported.folder / "README.md").read_text("utf-8")
    head = card.split("---")[1]
    assert "license: mit" in head
    assert "library_name: xmic" in head
    assert exported.evaluations == ["mine val", "other val"]
    lines = [line for line in card.splitlines() if line.startswith(("| mine val |", "| other val (cross-dataset) |"))]
    assert len(lines) == 4
    top1 = score(*trained)["mine"]["labels"]["noun"]["top1"]
    assert f"| mine val | noun | {top1:.2f} |" in card
    assert "preset official" in card
    assert "The training videos: the terms of whoever recorded them." in card
    assert "http" not in card


def test_the_intervals_of_the_card_are_those_of_the_report(
    exported: Exported, trained: tuple[Workspace, TrainedRun]
) -> None:
    card = (exported.folder / "README.md").read_text("utf-8")
    (row,) = collect(trained[0]).rows
    for target, kind in (("mine val", "within"), ("other val (cross-dataset)", "cross")):
        for label in ("noun", "verb"):
            cell = row.cells[f"{label} {kind}"]
            assert f"| {target} | {label} | {cell.value:.2f} | {cell.between} |" in card


@pytest.mark.parametrize(("drawn", "said"), [(True, "drawn by xmic, under xmic's licence"), (False, "CC BY-NC 4.0")])
def test_a_drawn_world_has_the_licence_of_xmic_and_not_that_of_the_dataset_it_is_written_as(
    trained: tuple[Workspace, TrainedRun], tmp_path: Path, drawn: bool, said: str
) -> None:
    workspace, run = trained
    root = tmp_path / "world" / "EPIC-KITCHENS"
    root.mkdir(parents=True)
    workspace.datasets["mine"] = DatasetSettings("epic", (str(root),), 1)
    if drawn:
        facts = {"version": 1, "seed": 0, "train": 4, "test": 2, "per_video": [2, 3]}
        (root.parent / WORLD_FILE).write_text(json.dumps(facts))
    card = (export_run(workspace, run, tmp_path / "out").folder / "README.md").read_text("utf-8")
    assert said in card
    assert ("CC BY-NC" in card) is not drawn
    assert ("trained with xmic on mine train (drawn videos)." in card) is drawn


def test_the_results_of_another_run_of_that_name_are_not_in_the_card(
    trained: tuple[Workspace, TrainedRun], tmp_path: Path
) -> None:
    workspace, run = trained
    score(workspace, run)
    file = workspace.root / "evaluations" / run.config["name"] / "other-val" / "metrics.json"
    metrics = json.loads(file.read_text("utf-8"))
    metrics["run"]["key"] = "0" * 64
    del metrics["sha256"]
    file.write_text(json.dumps(metrics), "utf-8")
    written = export_run(workspace, run, tmp_path / "out")
    assert written.evaluations == ["mine val"]
    assert "other val" not in (written.folder / "README.md").read_text("utf-8")


def test_without_evaluations_the_card_says_so(trained: tuple[Workspace, TrainedRun], tmp_path: Path) -> None:
    written = export_run(*trained, tmp_path / "out")
    card = (written.folder / "README.md").read_text("utf-8")
    assert "Not evaluated." in card
    assert "license:" not in card
    assert "not stated by who exported them" in card


def test_a_folder_with_something_in_it_is_refused(trained: tuple[Workspace, TrainedRun], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    export_run(*trained, tmp_path / "out")
    with pytest.raises(UsageError, match="it is not empty. Name a new folder"):
        export_run(*trained, tmp_path / "out")


def test_what_a_killed_export_left_is_removed_also_where_the_folder_is_refused(
    trained: tuple[Workspace, TrainedRun], tmp_path: Path
) -> None:
    into, left = tmp_path / "out", tmp_path / f".out.{socket.gethostname()}-{ended_process()}"
    into.mkdir()
    (into / "mine.txt").touch()
    left.mkdir()
    (left / "half").touch()
    with pytest.raises(UsageError):
        export_run(*trained, into)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "work"]


@pytest.mark.parametrize("name", ["noun/weights.safetensors", "verb/classes.json"])
def test_a_changed_or_missing_file_is_noticed(
    exported: Exported, trained: tuple[Workspace, TrainedRun], name: str
) -> None:
    file = exported.folder / name
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InputError, match=f"{name}: is not what was exported"):
        find_run(trained[0], str(exported.folder))
    file.unlink()
    with pytest.raises(InputError, match=f"{name}: is missing"):
        find_run(trained[0], str(exported.folder))


def test_an_edited_card_is_no_damage(exported: Exported, trained: tuple[Workspace, TrainedRun]) -> None:
    (exported.folder / "README.md").write_text("mine", "utf-8")
    assert set(find_run(trained[0], str(exported.folder)).heads) == {"noun", "verb"}
