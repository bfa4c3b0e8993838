from __future__ import annotations

import json

import pytest

from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.evaluate.run import evaluate
from pipelines.evaluate.trained import find_run
from pipelines.train.options import TrainOptions
from pipelines.train.plan import plan_run
from pipelines.train.run import train_run
from xmic_cli.app import run


@pytest.fixture
def trained(embedded):
    planned = plan_run(embedded, TrainOptions("mine", streams="hand", set={"epochs": 1}))
    train_run(embedded, planned, Machine(1, "cpu"), Silent())
    found = find_run(embedded, planned.name)
    evaluate(embedded, found, [("mine", "val"), ("other", "val")], Machine(1, "cpu"), Silent())
    return embedded, planned.name, ["-w", str(embedded.root)]


def test_runs_are_listed_with_what_differs_and_their_results(trained, capsys):
    _, name, where = trained
    assert run(["runs", *where, "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)["runs"]
    assert (entry["run"], entry["differs"], entry["newest"]) == (name, {"streams": "hand", "epochs": 1}, True)
    assert [(one["dataset"], one["within"]) for one in entry["results"]] == [("mine", True), ("other", False)]
    assert run(["runs", *where]) == 0
    head, row = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    found = dict(zip(head, row, strict=True))
    assert (found["run"], found["differs"], found["state"]) == (name, "streams=hand epochs=1", "finished")
    assert found["noun within"] == f"{entry['results'][0]['noun']:.2f}"
    assert found["noun cross"] == f"{entry['results'][1]['noun']:.2f} other"


def test_status_shows_what_differs_beside_the_runs_name(trained, capsys):
    _, name, where = trained
    assert run(["status", *where]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[3] for line in lines if line.startswith(("train", "evaluate"))] == [
        f"{name} streams=hand epochs=1"
    ] * 3


def test_a_workspace_without_runs_says_so(embedded, capsys):
    assert run(["runs", "-w", str(embedded.root)]) == 0
    assert "no run yet" in capsys.readouterr().out


@pytest.mark.parametrize("before", [True, False])
def test_removal_needs_a_word_and_shows_first_what_goes(trained, capsys, before):
    workspace, name, where = trained
    words = ["runs", *where, "rm", name] if before else ["runs", "rm", name, *where]
    assert run([*words, "--dry-run"]) == 0
    assert f"{name}: the run and 2 evaluations" in capsys.readouterr().out
    assert run(words) == 2
    assert "expected --yes to remove it, or --dry-run" in capsys.readouterr().err
    assert workspace.run(name).is_dir()
    assert run([*words, "--yes", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["removed"], [item["run"] for item in answer["runs"]]) == (True, [name])
    assert not workspace.run(name).exists()
    assert run([*words, "--yes"]) == 5
    assert f"{name}: no such run" in capsys.readouterr().err
