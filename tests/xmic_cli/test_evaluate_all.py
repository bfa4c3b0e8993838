"""``xmic evaluate --all``: what lacks is made, what is there is left, what fails keeps nothing else from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.engine.workspace import Workspace
from xmic_cli.app import run


@pytest.fixture
def trained(embedded: Workspace, capsys: pytest.CaptureFixture[str]) -> Workspace:
    """Two runs, none of them evaluated."""
    where = ["-w", str(embedded.root)]
    assert run(["train", *where, "--set", "epochs=1", "--set", "batch=4"]) == 0
    assert run(["train", *where, "--method", "zero-shot"]) == 0
    capsys.readouterr()
    return embedded


def _all(workspace: Workspace, capsys: pytest.CaptureFixture[str], *options: str, code: int = 0) -> Any:
    assert run(["evaluate", "--all", *options, "-w", str(workspace.root), "--json"]) == code
    return json.loads(capsys.readouterr().out)


def _made(workspace: Workspace) -> dict[Path, int]:
    return {file: file.stat().st_mtime_ns for file in workspace.evaluations.glob("*/*/metrics.json")}


def test_every_run_is_evaluated_on_what_it_lacks_and_then_nothing_is_left(trained, capsys):
    within = _all(trained, capsys)
    assert [len(item["results"]) for item in within["runs"]] == [1, 1]
    crossed = _all(trained, capsys, "--cross", "other")
    assert [item["run"].partition("-")[0] for item in crossed["runs"]] == ["xmic", "zero"]
    assert all([mean["dataset"] for mean in item["harmonic_means"]] == ["other", "other"] for item in crossed["runs"])
    assert crossed["up_to_date"] == 2
    before = _made(trained)
    assert len(before) == 4
    again = _all(trained, capsys, "--cross", "other")
    assert (again["runs"], again["up_to_date"], again["left"], again["failed"]) == ([], 4, 0, {})
    assert _made(trained) == before


def test_it_goes_on_where_a_limit_stopped_it(trained, capsys):
    counts = [len(_made(trained))]
    for _ in range(3):
        _all(trained, capsys, "--cross", "other", "--limit", "2")
        counts.append(len(_made(trained)))
    assert counts == [0, 2, 4, 4]


def test_a_dry_run_names_what_is_lacking_and_makes_nothing(trained, capsys):
    planned = _all(trained, capsys, "--cross", "other", "--dry-run")
    assert [item["targets"] for item in planned["runs"]] == [[["mine", "val"], ["other", "val"]]] * 2
    assert _made(trained) == {}


def test_an_evaluation_that_is_out_of_date_or_damaged_is_made_again(trained, capsys):
    from safetensors.torch import load_file, save_file

    _all(trained, capsys)
    (predictions,) = trained.root.glob("evaluations/zero-shot-*/*/predictions.parquet")
    predictions.write_bytes(predictions.read_bytes()[:-9])
    assert [item["run"].partition("-")[0] for item in _all(trained, capsys)["runs"]] == ["zero"]
    (weights,) = trained.root.glob("runs/xmic-*/noun/weights.safetensors")
    save_file({name: values + 1 for name, values in load_file(weights).items()}, weights)
    told = _all(trained, capsys, code=3)
    assert list(told["failed"]) == [weights.parents[1].name]


def test_a_target_that_refuses_a_run_is_named_and_the_others_are_evaluated(trained, capsys):
    for stream in trained.root.glob("embeddings/other/val/*/*/hand-*"):
        stream.rename(stream.with_name("hand-another-detector-h0.5-o0.01-m0-center"))
    told = _all(trained, capsys, "--cross", "other", code=3)
    ((name, why),) = told["failed"].items()
    assert name.startswith("xmic-official-mine-s0-")
    assert name.endswith(" on other val")
    assert "--allow-mixed" in why
    assert [len(item["results"]) for item in told["runs"]] == [1, 2]


def test_an_unfinished_run_is_named_and_does_not_fail(trained, capsys):
    (trained.root / "runs" / "coop-official-mine-s0-00000000" / "noun").mkdir(parents=True)
    assert _all(trained, capsys)["unfinished"] == ["coop-official-mine-s0-00000000"]


@pytest.mark.parametrize(
    "more", [["some-run"], ["--xmic-vector", "mean"], ["--clips", "clips.txt"], ["--encoder", "a:b=c"]]
)
def test_what_is_of_one_run_is_refused(trained, capsys, more):
    assert run(["evaluate", *more, "--all", "-w", str(trained.root)]) == 2
    assert "--all with " in capsys.readouterr().err


def test_a_workspace_without_runs_is_told_what_to_do(embedded, capsys):
    assert run(["evaluate", "--all", "-w", str(embedded.root)]) == 5
    assert "Run xmic train" in capsys.readouterr().err
