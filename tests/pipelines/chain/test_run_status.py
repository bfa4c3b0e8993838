from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from data_manifests.errors import Interrupted
from data_manifests.readers.table import TableReader
from pipelines.chain.status import status
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.evaluate.run import evaluate
from pipelines.evaluate.trained import find_run
from pipelines.prepare.stage import prepare
from pipelines.train.options import TrainOptions
from pipelines.train.plan import plan_run
from pipelines.train.run import train_run

ROOT = Path(__file__).resolve().parents[3]


def test_runs_show_their_heads(embedded):
    planned = plan_run(embedded, TrainOptions("mine", set={"epochs": 1}, label="noun"))
    train_run(embedded, planned, Machine(device="cpu"), Silent())
    found = next(s for s in status(embedded) if s.stage == "train")
    assert (found.what, found.done) == (planned.name, 1)
    weights = planned.folder / "noun/weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    found = next(s for s in status(embedded, verify=True) if s.stage == "train")
    assert (found.done, found.damaged) == (0, 1)
    assert "not the weights that the head was finished with" in found.why["noun"]


def test_a_head_is_stopped_being_trained_or_not_begun(embedded, monkeypatch):
    planned = plan_run(embedded, TrainOptions("mine", set={"epochs": 1}))

    def why():
        return next(s for s in status(embedded) if s.stage == "train").why

    seen = []
    monkeypatch.setattr("pipelines.train.run.train_label", lambda *arguments: seen.append(why()))
    train_run(embedded, planned, Machine(device="cpu"), Silent(), limit=1)
    monkeypatch.undo()
    assert seen == [
        {"noun": f"process {os.getpid()} on host {socket.gethostname()} trains it", "verb": "not trained yet"}
    ]
    with pytest.raises(Interrupted):
        train_run(embedded, planned, Machine(device="cpu"), Silent(), stop=lambda: "SIGTERM")
    assert why() == {"noun": "stopped, goes on with the same command", "verb": "not trained yet"}


def test_a_run_is_stale_when_its_labels_were_prepared_anew(embedded, embedded_once, tmp_path):
    planned = plan_run(embedded, TrainOptions("mine", set={"epochs": 1}))
    train_run(embedded, planned, Machine(device="cpu"), Silent())
    table, videos = tmp_path / "mine.csv", embedded_once / "mine-videos"
    table.write_text((embedded_once / "mine.csv").read_text().replace("cut,bread,train", "cut,jar,train"))
    prepare(embedded, "mine", TableReader([(table, None)], roots=[videos]), [videos])
    found = next(s for s in status(embedded) if s.stage == "train")
    assert (found.done, found.stale) == (0, 2)
    assert found.why["verb"] == "the clips or labels of mine train have changed since; xmic train makes a new run"


def test_an_evaluation_is_stale_when_its_run_is_damaged_or_its_vectors_are_gone(embedded):
    from pipelines.evaluate.run import evaluate
    from pipelines.evaluate.trained import find_run

    planned = plan_run(embedded, TrainOptions("mine", set={"epochs": 1}))
    train_run(embedded, planned, Machine(device="cpu"), Silent())
    evaluate(embedded, find_run(embedded, None), [("mine", "val")], Machine(device="cpu"), Silent())
    found = next(s for s in status(embedded) if s.stage == "evaluate")
    assert (found.dataset, found.split, found.done) == ("mine", "val", 1)
    (planned.folder / "noun" / "config.json").rename(planned.folder / "noun" / "kept.json")
    found = next(s for s in status(embedded) if s.stage == "evaluate")
    assert "noun/config.json: not the configuration of a trained head" in found.why["predictions.parquet"]
    (planned.folder / "noun" / "kept.json").rename(planned.folder / "noun" / "config.json")
    shutil.rmtree(embedded.root / "embeddings/mine/val")
    found = next(s for s in status(embedded) if s.stage == "evaluate")
    assert (found.done, found.stale) == (0, 1)
    assert "the run used encoder fake-00000000" in found.why["predictions.parquet"]
    assert "xmic evaluate" in found.next


def test_status_of_runs_and_evaluations_needs_no_torch(embedded):
    planned = plan_run(embedded, TrainOptions("mine", set={"epochs": 1, "batch": 4}))
    train_run(embedded, planned, Machine(device="cpu"), Silent())
    evaluate(embedded, find_run(embedded, planned.name), [("mine", "val")], Machine(1, "cpu"), Silent())
    code = (
        "import sys; from xmic_cli.app import run; assert run(['status', '--json', '-w', sys.argv[1]]) == 0; "
        "assert 'torch' not in sys.modules, 'torch is imported'"
    )
    done = subprocess.run([sys.executable, "-c", code, str(embedded.root)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found = {item["stage"]: item for item in json.loads(done.stdout)["stages"]}
    assert (found["evaluate"]["done"], found["train"]["done"]) == (1, 2)
    assert found["train"]["differs"] == found["evaluate"]["differs"] == "batch=4 epochs=1"
