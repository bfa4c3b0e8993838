"""``--log`` feeds a tracker with the rows of metrics.jsonl, and changes nothing else."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from data_manifests.errors import Interrupted, UsageError
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.engine.workspace import Workspace
from pipelines.train import trackers
from pipelines.train.options import TrainOptions
from pipelines.train.plan import PlannedRun, plan_run
from pipelines.train.run import train_run
from pipelines.train.tracking import Tracking

EPOCHS = 3
Rows = dict[str, list[dict[str, float]]]


class Listening(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def planned(workspace: Workspace, *log: str, **more: Any) -> PlannedRun:
    return plan_run(workspace, TrainOptions("mine", set={"epochs": EPOCHS, "batch": 4}, log=log, **more))  # type: ignore[arg-type]


def train(workspace: Workspace, *log: str, progress: Any = None, **more: Any) -> PlannedRun:
    run = planned(workspace, *log, **more)
    train_run(workspace, run, Machine(device="cpu"), progress or Silent())
    return run


def stop_after(steps: int) -> Any:
    left = [steps]

    def stop() -> str | None:
        left[0] -= 1
        return "SIGTERM" if left[0] < 0 else None

    return stop


def interrupted(workspace: Workspace, run: PlannedRun, steps: int) -> None:
    with pytest.raises(Interrupted):
        train_run(workspace, run, Machine(device="cpu"), Silent(), stop=stop_after(steps))


def rows_of(run: PlannedRun, *parts: str) -> Rows:
    files = {part: run.folder / part.replace("/", "/trials/") / "metrics.jsonl" for part in parts}
    return {part: [json.loads(line) for line in file.read_text().splitlines()] for part, file in files.items()}


class Remembered:
    """A tracker that keeps what it is given."""

    written: list[tuple[str, int, int]]
    opened: int

    def __init__(self, run: trackers.TrackedRun) -> None:
        type(self).opened += 1
        self.run = run

    def write(self, part: str, values: Mapping[str, float], epoch: int, rows_before: int) -> None:
        type(self).written.append((part, epoch, rows_before))

    def close(self) -> None:
        pass


@pytest.fixture
def remembered(monkeypatch: pytest.MonkeyPatch) -> type[Remembered]:
    kept = type("Kept", (Remembered,), {"written": [], "opened": 0})
    monkeypatch.setitem(trackers.TRACKERS, "wandb", kept)
    monkeypatch.setattr(trackers, "find_spec", lambda name: True)
    return kept


def in_tensorboard(workspace: Workspace, run: PlannedRun, part: str, purge: bool = False) -> list[dict[str, float]]:
    """Read event files back; without ``purge`` every event that was ever written is there."""
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = events.EventAccumulator(
        str(workspace.tracking("tensorboard") / run.name / part), {events.SCALARS: 0}, purge_orphaned_data=purge
    )
    found.Reload()
    by_step: list[dict[str, float]] = []
    for name in found.Tags()["scalars"]:
        for number, event in enumerate(found.Scalars(name)):
            if number == len(by_step):
                by_step.append({"epoch": event.step})
            assert by_step[number]["epoch"] == event.step
            by_step[number][name] = event.value
    return by_step


def test_tensorboard_has_every_row_of_both_heads(embedded: Workspace) -> None:
    pytest.importorskip("tensorboard")
    run = train(embedded, "tensorboard")
    for part, rows in rows_of(run, "noun", "verb").items():
        found = in_tensorboard(embedded, run, part)
        assert len(found) == EPOCHS
        for one, row in zip(found, rows, strict=True):
            assert one == pytest.approx(row)


def test_a_stopped_training_goes_on_in_the_same_event_files_without_doubled_steps(embedded: Workspace) -> None:
    pytest.importorskip("tensorboard")
    run = planned(embedded, "tensorboard")
    for steps in (3, 2, 1):
        interrupted(embedded, run, steps)
    train_run(embedded, run, Machine(device="cpu"), Silent())
    for part in ("noun", "verb"):
        assert [one["epoch"] for one in in_tensorboard(embedded, run, part)] == [1, 2, 3]


def test_a_step_of_a_process_that_was_killed_before_it_noted_it_is_purged(embedded: Workspace) -> None:
    pytest.importorskip("tensorboard")
    run = train(embedded, "tensorboard")
    count = embedded.tracking("tensorboard") / run.name / "noun" / "rows-written"
    assert count.read_text() == "3\n"
    count.write_text("2\n")
    train(embedded, "tensorboard")
    assert [one["epoch"] for one in in_tensorboard(embedded, run, "noun", purge=True)] == [1, 2, 3]


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow"])
def test_a_tracker_changes_neither_key_nor_bytes(
    embedded: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    pytest.importorskip(name)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    other = Workspace.open(shutil.copytree(embedded.root, tmp_path / "other"))
    with_log, without = train(embedded, name), train(other)
    assert (with_log.key, with_log.name) == (without.key, without.name)
    files = {path.relative_to(without.folder) for path in without.folder.rglob("*") if path.is_file()}
    assert {path.relative_to(with_log.folder) for path in with_log.folder.rglob("*") if path.is_file()} == files
    for file in files:
        assert (with_log.folder / file).read_bytes() == (without.folder / file).read_bytes(), file


def test_a_run_that_is_trained_already_is_written_once(embedded: Workspace, remembered: type[Remembered]) -> None:
    train(embedded)
    assert remembered.opened == 0
    train(embedded, "wandb")
    expected = [("noun", epoch, epoch - 1) for epoch in (1, 2, 3)] + [("verb", epoch, epoch + 2) for epoch in (1, 2, 3)]
    assert remembered.written == expected
    train(embedded, "wandb")
    assert (remembered.written, remembered.opened) == (expected, 1)


def test_an_epoch_that_is_trained_again_is_written_once(embedded: Workspace, remembered: type[Remembered]) -> None:
    run, lines = planned(embedded, "wandb"), [json.dumps({"epoch": epoch, "loss": 1.0}) for epoch in (1, 2, 3)]
    for so_far in (1, 2, 1, 2, 3):  # killed after the second row, before its state was saved
        Tracking(("wandb",), embedded, run, Silent()).rows("noun", lines[:so_far])
    assert [epoch for _, epoch, _ in remembered.written] == [1, 2, 3]


def test_each_learning_rate_of_matched_is_a_part(embedded: Workspace, remembered: type[Remembered]) -> None:
    run = train(embedded, "wandb", recipe="matched", source_val="34%", label="noun")
    parts = list(dict.fromkeys(part for part, _, _ in remembered.written))
    trials = sorted(folder.name for folder in (run.folder / "noun" / "trials").iterdir())
    assert len(trials) > 1
    assert sorted(parts) == sorted(["noun", *(f"noun/{trial}" for trial in trials)])
    assert parts[-1] == "noun"
    assert len(remembered.written) == sum(len(rows) for rows in rows_of(run, *parts).values())


@pytest.mark.parametrize("fails", ["__init__", "write", "close"])
def test_a_failing_tracker_is_warned_of_once_and_the_training_goes_on(
    embedded: Workspace, remembered: type[Remembered], monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    def fail(*_: Any) -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(remembered, fails, fail)
    progress = Listening()
    run = train(embedded, "wandb", progress=progress)
    assert len(rows_of(run, "verb")["verb"]) == EPOCHS
    (warning,) = [note for note in progress.notes if "--log wandb failed" in note]
    assert "ConnectionError: no route to host" in warning
    assert "metrics.jsonl has every epoch" in warning


def test_a_tracker_that_is_not_installed_is_refused_before_anything_is_trained(
    embedded: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"--log mlflow: the package mlflow is not installed. Run pip install 'xmic\["):
        train(embedded, "mlflow")
    assert not embedded.runs.exists()


def records_of_wandb(data: bytes) -> list[bytes]:
    """The records of a .wandb file: a log of LevelDB behind a header of 7 bytes, in blocks of 32 KiB."""
    found, begun, place = [], b"", 7
    while place + 7 <= len(data):
        if 32768 - place % 32768 < 7:  # no header fits: padding
            place += 32768 - place % 32768
            continue
        size, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        begun += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # whole, or the last part
            found.append(begun)
            begun = b""
    return found


def test_wandb_without_a_key_asks_nothing_and_has_every_row_once_though_the_training_was_stopped(
    embedded: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = pytest.importorskip("wandb.proto.wandb_internal_pb2")

    def whole_file(file: Path) -> list[Any]:
        """A file's records; its service writes the last of them after the run is finished."""
        for _ in range(300):
            records = [messages.Record.FromString(data) for data in records_of_wandb(file.read_bytes())]
            if records and records[-1].WhichOneof("record_type") == "exit":
                return records
            time.sleep(0.1)
        raise AssertionError(f"{file}: not finished")

    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    run = planned(embedded, "wandb")
    interrupted(embedded, run, 3)
    progress = Listening()
    train_run(embedded, run, Machine(device="cpu"), progress)
    assert [note for note in progress.notes if "--log" in note] == []
    found: Rows = {"noun": [], "verb": []}
    files = sorted(embedded.tracking("wandb").rglob("*.wandb"))  # their folders are named by time
    assert {file.name for file in files} == {f"run-{run.key[:16]}.wandb"}
    for record in (record for file in files for record in whole_file(file)):
        items = {".".join(item.nested_key) or item.key: item.value_json for item in record.history.item}
        for part, rows in found.items():
            if f"{part}/epoch" in items:
                own = {name: value for name, value in items.items() if name.startswith(f"{part}/")}
                rows.append({name.removeprefix(f"{part}/"): json.loads(value) for name, value in own.items()})
    assert found == rows_of(run, "noun", "verb")


def test_mlflow_has_every_row_once_though_the_training_was_stopped(
    embedded: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run = planned(embedded, "mlflow")
    interrupted(embedded, run, 3)
    progress = Listening()
    train_run(embedded, run, Machine(device="cpu"), progress)
    assert [note for note in progress.notes if "--log" in note] == []
    client = mlflow.MlflowClient(embedded.tracking("mlflow").resolve().as_uri())
    (experiment,) = [one for one in client.search_experiments() if one.name == "xmic"]
    (kept,) = client.search_runs([experiment.experiment_id])
    assert (kept.info.run_name, kept.info.status) == (run.name, "FINISHED")
    assert kept.data.params["method"] == "xmic"
    for part, rows in rows_of(run, "noun", "verb").items():
        for name in rows[0].keys() - {"epoch"}:
            history = client.get_metric_history(kept.info.run_id, f"{part}/{name}")
            assert [(one.step, one.value) for one in history] == [(row["epoch"], row[name]) for row in rows]
