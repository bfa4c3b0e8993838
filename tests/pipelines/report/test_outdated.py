from __future__ import annotations

import csv
import shutil

import pytest

from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.run import evaluate
from pipelines.evaluate.trained import find_run
from pipelines.report.collect import collect
from pipelines.report.write import write_report
from pipelines.train.options import TrainOptions
from pipelines.train.plan import PlannedRun, plan_run
from pipelines.train.run import train_run


def _evaluated(workspace: Workspace, request: TrainOptions) -> PlannedRun:
    """A run, trained and evaluated within its dataset and on the other one."""
    planned = plan_run(workspace, request)
    train_run(workspace, planned, Machine(device="cpu"), Silent())
    targets = [("mine", "val"), ("other", "val")]
    evaluate(workspace, find_run(workspace, planned.name), targets, Machine(device="cpu"), Silent())
    return planned


def test_an_evaluation_whose_target_was_prepared_anew_is_out_of_date(embedded: Workspace) -> None:
    planned = _evaluated(embedded, TrainOptions("mine", "zero-shot"))
    assert collect(embedded).outdated == []
    manifests = embedded.root / "manifests"
    for table in ("clips", "videos"):
        shutil.copyfile(manifests / f"mine/train/{table}.parquet", manifests / f"other/val/{table}.parquet")
    found = collect(embedded)
    assert found.outdated == [f"{planned.name} on other val, of which the clips or labels have changed"]
    assert [row.marks for row in found.rows] == ["O"]
    [gap] = [gap for gap in found.gaps if "out of date" in gap.why]
    assert gap.command == f"xmic evaluate {planned.name} --cross other --split val"
    write_report(embedded)
    folder = embedded.root / "reports/report"
    page = (folder / "index.html").read_text("utf-8")
    assert f"{planned.name} on other val" in page
    assert '<span class="badge">out of date</span>' in page
    assert "> **Out of date** (rows marked O)" in (folder / "report.md").read_text("utf-8")
    with next(folder.rglob("results.csv")).open(encoding="utf-8") as file:
        assert [row["out_of_date"] for row in csv.DictReader(file)] == ["1"]
    shutil.rmtree(manifests / "other")
    assert collect(embedded).outdated == []


@pytest.mark.parametrize("learns", [True, False])
def test_a_run_that_learned_from_other_clips_is_out_of_date_wherever_it_is_evaluated(
    embedded: Workspace, learns: bool
) -> None:
    changed = {"epochs": 1, "scale": 0.5, "n1": False} if learns else {}
    request = TrainOptions("mine", "xmic" if learns else "zero-shot", set=changed, fixed_frames=learns)
    planned = _evaluated(embedded, request)
    assert collect(embedded).outdated == []
    manifests = embedded.root / "manifests"
    for table in ("clips", "videos"):
        shutil.copyfile(manifests / f"mine/val/{table}.parquet", manifests / f"mine/train/{table}.parquet")
    found = collect(embedded)
    why = "trained on mine train as it was before its clips or labels changed"
    assert found.outdated == [f"{planned.name} on {target} val, {why}" for target in ("mine", "other") if learns]
    assert [row.marks for row in found.rows] == ["O" * learns]
    gaps = [gap for gap in found.gaps if gap.why == f"{planned.name} is out of date: {why}"]
    # A change that is the default of neither: the epochs and the settings.
    options = "--set n1=false --set scale=0.5 --set epochs=1 --fixed-frames"
    assert [gap.command for gap in gaps] == [f"xmic train mine {options}"] * learns
