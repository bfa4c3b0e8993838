"""The list of runs, and their removal."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from data_manifests.errors import MissingUpstream
from pipelines.chain.runs import chosen_runs, list_runs, remove_runs
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.engine.removal import InUse
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.options import Control
from pipelines.evaluate.run import evaluate
from pipelines.evaluate.trained import find_run
from pipelines.train.options import TrainOptions
from pipelines.train.plan import plan_run
from pipelines.train.run import train_run

CPU = Machine(1, "cpu")


def trained(workspace: Workspace, **options) -> str:
    planned = plan_run(workspace, TrainOptions("mine", **options))
    train_run(workspace, planned, CPU, Silent())
    return planned.name


@pytest.fixture
def two(embedded):
    first = trained(embedded, set={"epochs": 1}, streams="hand")
    second = trained(embedded, method="zero-shot")
    found = find_run(embedded, first)
    evaluate(embedded, found, [("mine", "val"), ("other", "val")], CPU, Silent())
    evaluate(embedded, found, [("mine", "val")], CPU, Silent(), control=Control("mean"))
    return embedded, first, second


def test_a_run_is_listed_with_what_differs_its_results_and_its_size(two):
    workspace, first, second = two
    by_name = {entry.run: entry for entry in list_runs(workspace)}
    assert by_name.keys() == {first, second}
    entry = by_name[first]
    assert entry.differs == {"streams": "hand", "epochs": 1}
    assert (entry.method, entry.preset, entry.dataset, entry.seed, entry.state) == (
        "xmic",
        "official",
        "mine",
        0,
        "finished",
    )
    assert [(one["dataset"], one["within"], one["control"]) for one in entry.results] == [
        ("mine", True, []),
        ("other", False, []),
        ("mine", True, ["X-MIC vector mean"]),
    ]
    assert all(0 <= one["noun"] <= 100 for one in entry.results)
    assert entry.bytes > by_name[second].bytes > 0
    assert (entry.newest, by_name[second].newest) == (False, True)


def test_a_removed_run_takes_its_evaluations_along_and_latest_moves_on(two):
    workspace, first, _ = two
    remove_runs(workspace, chosen_runs(workspace, ["latest"]))
    assert [folder.name for folder in workspace.run_folders()] == [first]
    assert find_run(workspace, None).config["name"] == first
    remove_runs(workspace, chosen_runs(workspace, [first]))
    assert not workspace.run_folders()
    assert not list(workspace.evaluations.glob("*"))
    assert not workspace.run("latest").is_symlink()


def test_no_other_run_is_touched_whose_name_begins_alike(two):
    workspace, first, _ = two
    other = workspace.run(f"{first}0")
    other.mkdir()
    (workspace.evaluations / f"{first}0").mkdir()
    remove_runs(workspace, chosen_runs(workspace, [first]))
    assert other.is_dir()
    assert (workspace.evaluations / f"{first}0").is_dir()


def test_an_unknown_run_is_an_error_that_names_those_that_are_there(two):
    workspace, first, _ = two
    with pytest.raises(MissingUpstream, match=rf"nope: no such run; there is .*{first}"):
        chosen_runs(workspace, ["nope"])


HOLD = """
import sys, time
from pathlib import Path
from pipelines.engine.locks import exclusive_lock
with exclusive_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_run_that_another_process_trains_is_kept_whole(two):
    workspace, first, _ = two
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(workspace.run(first) / "verb")], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(InUse, match="another process writes here"):
            remove_runs(workspace, chosen_runs(workspace, [first]))
    finally:
        holder.kill()
        holder.wait()
    assert find_run(workspace, first).heads.keys() == {"noun", "verb"}
    assert len(list(workspace.evaluations.glob(f"{first}*/*"))) == 3
    time.sleep(0.1)
    remove_runs(workspace, chosen_runs(workspace, [first]))
