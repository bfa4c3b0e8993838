from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from data_manifests.errors import Interrupted
from pipelines.methods.backbone import Backbone
from pipelines.methods.base import Method, build_method
from tests.pipelines.train import loop_world
from tests.pipelines.train.loop_world import (
    DIM,
    ROOT,
    STEPS,
    DropConfig,
    Drops,
    files,
    stop_before_step,
    train,
)


def test_a_finished_training_leaves_weights_and_metrics_only(whole: Path) -> None:
    assert sorted(files(whole)) == ["metrics.jsonl", "weights.safetensors"]


@pytest.mark.parametrize("stops", [[STEPS], [STEPS + 2], [0], [1], [STEPS * 3 - 1], [2, 1, 5]])
def test_a_stopped_training_resumes_to_the_same_bytes(whole: Path, tmp_path: Path, stops: list[int]) -> None:
    for stop in stops:
        with pytest.raises(Interrupted):
            train(tmp_path, stop=stop_before_step(stop))
        assert "state.pt" in files(tmp_path)
        assert "weights.safetensors" not in files(tmp_path)
    outcome = train(tmp_path)
    assert files(tmp_path) == files(whole)
    assert outcome.resumed_at == divmod(sum(stops), STEPS)


def test_a_killed_training_resumes_to_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    killed = subprocess.run(
        [sys.executable, loop_world.__file__, str(tmp_path), str(STEPS + 2), str(torch.get_num_threads())],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert killed.returncode == -signal.SIGKILL
    outcome = train(tmp_path)
    assert outcome.resumed_at == (1, 2)
    assert files(tmp_path) == files(whole)


def test_a_method_that_draws_random_numbers_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    def drops() -> Method:
        return build_method(Drops, DropConfig(), Backbone(DIM, DIM, 1.0), seed=0)

    train(tmp_path / "whole", drops())
    with pytest.raises(Interrupted):
        train(tmp_path / "resumed", drops(), stop=stop_before_step(STEPS + 1))
    torch.manual_seed(99)
    train(tmp_path / "resumed", drops())
    assert files(tmp_path / "whole") == files(tmp_path / "resumed")


def test_a_metrics_file_ahead_of_the_state_is_cut_back(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        train(tmp_path, stop=stop_before_step(STEPS + 1))
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 2}\n{"epo')
    with pytest.raises(Interrupted):
        train(tmp_path, stop=stop_before_step(0))
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 1
    train(tmp_path)
    assert files(tmp_path) == files(whole)
