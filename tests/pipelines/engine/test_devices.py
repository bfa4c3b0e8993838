"""Stages on several devices: the same bytes as in one process."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from data_manifests.errors import InputError, TooManyFailures, UsageError
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import DecodeStage
from pipelines.embed.stage import EmbedStage, LazyEncoder
from pipelines.engine.devices import run_on_each
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.engine.stage import RunPolicy
from pipelines.engine.workspace import Workspace
from tests.pipelines.embedded_world import FakeEncoder, add_dataset, encoder

GROUPS, SHARDS = 5, 4


@pytest.fixture
def workspace(tmp_path, make_video):
    """A split whose frames lie in four shards."""
    space = Workspace.open(tmp_path / "work")
    add_dataset(space, tmp_path, make_video, splits=("val",), clips=8, hands=False, groups=GROUPS)
    return space


class Noted(FakeEncoder):
    """Notes the process of every batch in a file; ends some processes."""

    def __init__(self, folder, name, fault):
        self.folder, self.name, self.fault = folder, name, fault

    def embed(self, inputs):
        with (self.folder / "processes").open("a") as file:
            file.write(f"{os.getpid()} {self.name}\n")
        if self.fault == "dies" and self.name == "1":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault == "dies":  # the other process is late on a busy machine
            wait_for(lambda: any(line.endswith(" 1") for line in (self.folder / "processes").read_text().splitlines()))
        if self.fault == "refuses":
            raise InputError("no room for a batch; run it with --batch-size 2")
        if self.fault == "fails":
            return super().embed(inputs) * 1e9
        return super().embed(inputs)


def wait_for(condition):
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "the other process took no shard"
        time.sleep(0.01)


def build(root: Path, name: str, fault: str = "") -> list[EmbedStage]:
    frames = DecodeStage(Workspace.open(root), "mine", "val", FramePlan(4, 1, 0))
    identity = encoder("split").identity
    return [EmbedStage(frames, LazyEncoder(identity, partial(Noted, root, name, fault)))]


def builds(workspace, names="12", fault=""):
    return [partial(build, workspace.root, name, fault) for name in names]


def shards(item):
    return {path.name: path.read_bytes() for path in item.folder.glob("part-*.parquet")}


def processes(workspace):
    file = workspace.root / "processes"
    return {line.split()[0] for line in file.read_text().splitlines()} if file.is_file() else set()


class Told(Silent):
    def __init__(self):
        self.told, self.rows, self.notes = [], 0, []

    def start(self, what, total, unit="", done=0):
        self.told.append((what, total, unit))
        self.rows = done

    def advance(self, steps=1):
        self.rows += steps

    def note(self, text):
        self.notes.append(text)

    def finish(self):
        self.told.append("finished")


def test_two_processes_make_the_bytes_of_one_and_count_together(workspace):
    [(alone, report)] = run_on_each(builds(workspace, "1"), RunPolicy(), Silent())
    expected = shards(alone)
    assert (len(expected), report.made) == (SHARDS, SHARDS)
    for name in expected:
        (alone.folder / name).unlink()
    (workspace.root / "processes").unlink()
    progress = Told()
    [(item, together)] = run_on_each(builds(workspace), RunPolicy(), progress)
    assert shards(item) == expected
    assert os.getpid() not in map(int, processes(workspace))
    for name in ("made", "made_rows", "rows", "shards", "already_done", "remaining", "failures"):
        assert getattr(together, name) == getattr(report, name), name
    assert progress.told == [("embed mine val full", 32, "frames"), "finished"]
    assert progress.rows == 32


def test_with_nothing_or_one_shard_to_make_no_process_is_started(workspace):
    [(item, _)] = run_on_each(builds(workspace, "1"), RunPolicy(), Silent())
    (workspace.root / "processes").unlink()
    [(_, report)] = run_on_each(builds(workspace), RunPolicy(), Silent())
    assert (report.made, report.already_done, processes(workspace)) == (0, SHARDS, set())
    next(item.folder.glob("part-*.parquet")).unlink()
    [(_, report)] = run_on_each(builds(workspace), RunPolicy(), Silent())
    assert (report.made, processes(workspace)) == (1, {str(os.getpid())})


def test_the_shards_of_a_process_that_dies_are_made_by_the_others(workspace):
    progress = Told()
    [(item, report)] = run_on_each(builds(workspace, fault="dies"), RunPolicy(), progress)
    assert (len(shards(item)), report.remaining, report.rows) == (SHARDS, 0, 32)
    assert "process 1 died; others made its shards, and it is begun again" in progress.notes


def test_an_error_of_a_process_is_that_of_the_command(workspace):
    with pytest.raises(InputError, match="^no room for a batch; run it with --batch-size 2$"):
        list(run_on_each(builds(workspace, fault="refuses"), RunPolicy(), Silent()))


def test_too_many_failures_are_those_of_all_processes(workspace):
    with pytest.raises(TooManyFailures, match="32 of 32 rows failed"):
        list(run_on_each(builds(workspace, fault="fails"), RunPolicy(), Silent()))


def test_a_limit_is_refused(workspace):
    with pytest.raises(UsageError, match="--limit 2: several processes cannot keep it; leave --devices out"):
        list(run_on_each(builds(workspace), RunPolicy(limit=2), Silent()))


def test_the_workers_are_shared_by_the_devices():
    machine = Machine(workers=5, offline=True, devices="cpu,cpu")
    assert machine.each() == [Machine(2, "cpu", True)] * 2
    assert replace(machine, workers=1).each() == [Machine(1, "cpu", True)] * 2
    assert machine.resolve_device() == "cpu"
    assert Machine(3, "cpu").each() == [Machine(3, "cpu")]


def test_all_devices_are_the_cuda_devices(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    machine = Machine(workers=6, devices="all")
    assert [one.device for one in machine.each()] == ["cuda:0", "cuda:1", "cuda:2"]
    assert machine.resolve_device() == "cuda:0"
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UsageError, match="--devices all: PyTorch finds no CUDA device here"):
        machine.each()


@pytest.mark.parametrize(
    ("devices", "text"),
    [
        ("cpu,cuda:0", "--devices cpu,cuda:0: expected devices of one type"),
        ("auto,auto", "--devices auto,auto: expected devices of one type"),
        ("cpu,gpu", "--device gpu: expected auto, cpu, cuda, cuda:N or mps"),
        ("", "--device : expected auto"),
    ],
)
def test_devices_of_several_types_or_unknown_ones_are_refused(devices, text, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(UsageError, match=f"^{text}"):
        Machine(devices=devices).each()


def test_one_device_and_several_are_not_given_together():
    with pytest.raises(UsageError, match="--device cpu and --devices cpu,cpu: leave one of the two out"):
        Machine(device="cpu", devices="cpu,cpu").each()
