from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import process_memory
from benchmarks.methods import child
from benchmarks.methods.child import Stopwatch, Task, named_apart, parts_of, peak_mb, run_in_child, sit
from benchmarks.methods.ledger import Ledger
from data_manifests.errors import Interrupted
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.engine.workspace import Workspace
from pipelines.train.options import TrainOptions
from pipelines.train.plan import plan_run
from pipelines.train.run import train_run

CPU = Machine(device="cpu")
TARGETS = (("mine", "val"), ("other", "val"))


def nothing() -> None:
    pass


def task_of(workspace: Workspace, method: str = "clip-adapter", **settings: Any) -> Task:
    overrides = {"epochs": 2, "batch": 2, **settings} if method != "zero-shot" else {}
    request = TrainOptions("mine", method, set=overrides, classify="full")
    ledger = workspace.root.parent / "methods" / f"{method}.json"
    return Task(workspace.root, request, TARGETS, CPU, ledger, None)


def test_a_run_is_trained_and_evaluated_and_says_what_it_took(embedded: Workspace) -> None:
    found = sit(task_of(embedded), nothing)
    folder = embedded.root / "evaluations" / found["run"]
    for label in ("noun", "verb"):
        for dataset, name in (("mine", "within"), ("other", "cross")):
            metrics = json.loads((folder / f"{dataset}-val" / "metrics.json").read_text())["labels"][label]
            part = found["labels"][label][name]
            assert part["clips"] == metrics["n_evaluated"] > 0
            assert 100 * part["right"] / part["clips"] == pytest.approx(metrics["top1"])
        whole = found["labels"][label]
        assert whole["shared"]["clips"] + whole["novel"]["clips"] == whole["cross"]["clips"]
        assert whole["restricted"]["novel"]["right"] >= whole["novel"]["right"]
    heads, cost = found["heads"], found["cost"]
    assert heads["noun"]["parameters"] > 0
    assert cost["sittings"] == 1
    assert 0 < cost["seconds_per_step"] < cost["training_seconds"]
    assert cost["evaluation_seconds"] > 0
    assert cost["evaluation_clips"] == sum(found["labels"]["noun"][name]["clips"] for name in ("within", "cross"))
    assert cost["peak_mb"] >= cost["libraries_mb"] > 10


def test_what_is_trained_already_in_the_workspace_is_trained_again_to_be_timed(embedded: Workspace) -> None:
    task = task_of(embedded)
    theirs = plan_run(embedded, task.request)
    train_run(embedded, theirs, CPU, Silent())
    found = sit(task, nothing)
    assert found["run"] == theirs.name + "-methods"
    assert found["cost"]["training_seconds"] > 0
    name = Path("noun") / "weights.safetensors"
    assert (theirs.folder / name).read_bytes() == (embedded.root / "runs" / found["run"] / name).read_bytes()


def test_times_of_an_interrupted_run_are_summed(embedded: Workspace) -> None:
    task = task_of(embedded)
    with pytest.raises(Interrupted):
        sit(replace(task, seconds=0.0), nothing)
    (stopped,) = json.loads(task.ledger.read_text())["sittings"]
    assert stopped["steps"] == 0
    found = sit(task, nothing)
    assert found["cost"]["sittings"] == 2
    assert found["cost"]["training_seconds"] > stopped["seconds"]
    whole = sit(task, nothing)
    assert whole["cost"]["sittings"] == 2
    assert whole["labels"] == found["labels"]


def test_a_killed_sitting_leaves_the_time_unknown(embedded: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    task = task_of(embedded)

    class Killed(BaseException):
        pass

    def kill(*_: Any, **__: Any) -> None:
        # What a killed process leaves: the ledger as it stood when training began.
        kept.append(task.ledger.read_text())
        raise Killed

    kept: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr(child, "train_run", kill)
        with pytest.raises(Killed):
            sit(task, nothing)
    task.ledger.write_text(kept[0])
    cost = sit(task, nothing)["cost"]
    assert cost["sittings"] == 2
    assert cost["training_seconds"] is None
    assert cost["seconds_per_step"] > 0
    task.ledger.unlink()
    lost = sit(task, nothing)["cost"]
    assert (lost["training_seconds"], lost["evaluation_seconds"]) == (None, None)


def test_what_learns_nothing_has_no_step(embedded: Workspace) -> None:
    found = sit(task_of(embedded, "zero-shot"), nothing)
    assert found["cost"]["seconds_per_step"] is None
    assert found["labels"]["noun"]["within"]["clips"] > 0


def test_a_run_in_a_process_of_its_own_that_diverges_says_so(embedded: Workspace) -> None:
    outcome = run_in_child(task_of(embedded, lr=1e38, warmup_epochs=0, epochs=9))
    assert outcome.reason == "Diverged"
    assert "the loss is" in str(outcome.error)
    assert json.loads((embedded.root.parent / "methods" / "clip-adapter.json").read_text())["sittings"][0]["steps"] > 0


def test_a_run_has_a_name_and_a_folder_of_this_experiment(embedded: Workspace) -> None:
    planned = plan_run(embedded, task_of(embedded).request)
    apart = named_apart(planned)
    assert apart.folder == embedded.root / "runs" / apart.name != planned.folder
    assert apart.key == planned.key


def test_the_stopwatch_counts_the_steps_of_this_sitting_of_trainings_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([10.0, 11.0, 12.0, 15.0, 90.0, 100.0, 101.0])
    monkeypatch.setattr(child.time, "monotonic", lambda: next(times))
    beats: list[int] = []
    watch = Stopwatch(lambda: beats.append(1))
    watch.start("train noun", 9, "steps", 6)
    watch.advance()
    watch.advance()
    watch.advance()
    watch.start("gather", 5)
    watch.advance(5)
    watch.start("train verb", 9)
    watch.advance()
    assert (watch.steps, watch.seconds) == (4, 6.0)
    assert len(beats) == 5


def test_a_ledger_keeps_the_highest_peak_and_knows_a_run_that_is_there_without_it(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "a.json", tmp_path / "run")
    ledger.peak("peak_mb", 5)
    ledger.peak("peak_mb", 3)
    ledger.sittings.append({"seconds": 4.0, "steps": 2, "step_seconds": 3.0})
    ledger.evaluations["epic"] = {"seconds": 2.0, "clips": 10}
    ledger.save()
    again = Ledger.open(tmp_path / "a.json", tmp_path / "run")
    cost = again.cost(2)
    assert (cost["peak_mb"], cost["training_seconds"], cost["seconds_per_step"]) == (5, 4.0, 1.5)
    assert cost["evaluation_seconds"] is None
    assert again.cost(1)["evaluation_clips"] == 10
    (tmp_path / "run").mkdir()
    assert Ledger.open(tmp_path / "b.json", tmp_path / "run").cost(2)["training_seconds"] is None


def test_parts_are_those_of_the_cross_dataset_in_both_forms() -> None:
    def counted(right: int, clips: int) -> dict[str, Any]:
        return {"n_evaluated": clips, "recordings": {"a": [right, clips]}}

    def forms(low: int, high: int) -> dict[str, Any]:
        return {"unrestricted": counted(low, 4), "restricted": counted(high, 4)}

    cross = {**counted(3, 8), "parts": {"shared": forms(2, 3), "novel": forms(1, 4)}}
    found = parts_of(counted(5, 9), cross)
    assert (found["within"]["right"], found["cross"]["right"]) == (5, 3)
    assert (found["shared"]["right"], found["novel"]["right"]) == (2, 1)
    assert found["restricted"]["shared"] == {"clips": 4, "right": 3.0, "recordings": {"a": [3, 4]}}
    assert found["restricted"]["novel"]["right"] == 4


def test_peak_memory_stays_where_it_was_highest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = peak_mb()
    held = [b"x" * (int(before * 1e6) + 50_000_000)]
    after = peak_mb()
    held.clear()
    assert after >= before + 40
    # The kernel counts in pieces.
    assert peak_mb() == pytest.approx(after, abs=5)
    monkeypatch.setattr(process_memory, "STATUS", tmp_path / "absent")
    assert peak_mb() >= after - 5
