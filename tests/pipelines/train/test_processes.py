"""A training in two processes is that of one, within rounding."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from data_manifests.errors import InputError, UsageError
from pipelines.methods import load_method
from pipelines.train.processes import ALONE, Processes, joined, refuse_unsplittable, started_by_torchrun
from tests.pipelines.methods.tiny_tower import TEXTS
from tests.pipelines.train import two_processes
from tests.pipelines.train.every_method import CLIPS, make
from tests.pipelines.train.loop_world import ROOT, stop_before_step
from tests.pipelines.train.two_processes import DIVERGING, HALF, SPLIT_RECIPES, SPLITTING, CountedTower, train

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


@pytest.fixture(scope="module")
def by_two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes trained."""
    folder = tmp_path_factory.mktemp("two")
    train(folder / "begun-by-one", "coop", stop=stop_before_step(HALF))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [*TORCHRUN, two_processes.__file__, str(folder)], cwd=ROOT, env=environment, capture_output=True, timeout=300
    )
    assert ran.returncode == 0, ran.stderr.decode()
    return folder


@pytest.fixture(scope="module")
def by_one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in one process."""
    folder = tmp_path_factory.mktemp("one")
    for name in SPLITTING:
        with CountedTower() as counted:
            train(folder / name, name, recipe=SPLIT_RECIPES[name])
        (folder / f"{name}-texts-0.txt").write_text(str(counted.texts))
    train(folder / "adamw", "coop")
    return folder


def assert_close(found: Path, expected: Path, name: str) -> None:
    """The trained tensors and the metrics are the same within rounding, and have moved."""
    start = make(name).state_dict()
    trained, known = (load_file(folder / "weights.safetensors") for folder in (found, expected))
    assert set(trained) == set(known)
    for key, tensor in known.items():
        np.testing.assert_allclose(trained[key], tensor, rtol=1e-4, atol=1e-6, err_msg=key)
    moved = max(float((start[key] - tensor).abs().max()) for key, tensor in known.items())
    off = max(float((trained[key] - tensor).abs().max()) for key, tensor in known.items())
    assert off < 0.001 * moved
    lines = [(folder / "metrics.jsonl").read_text().splitlines() for folder in (found, expected)]
    for ours, theirs in zip(*lines, strict=True):
        mine, other = json.loads(ours), json.loads(theirs)
        assert mine["clips"] == other["clips"] == CLIPS
        assert mine == pytest.approx(other, rel=1e-4)


@pytest.mark.parametrize("name", SPLITTING)
def test_two_processes_train_the_weights_of_one(by_two: Path, by_one: Path, name: str) -> None:
    assert sorted(path.name for path in (by_two / name).iterdir()) == ["metrics.jsonl", "weights.safetensors"]
    assert_close(by_two / name, by_one / name, name)


@pytest.mark.parametrize(("name", "more"), [("coop", 0), ("cocoop", 2 * len(TEXTS))])
def test_the_texts_of_a_step_are_shared_too(by_two: Path, by_one: Path, name: str, more: int) -> None:
    parts = [int((by_two / f"{name}-texts-{rank}.txt").read_text()) for rank in (0, 1)]
    alone = int((by_one / f"{name}-texts-0.txt").read_text())
    # In the last step of each epoch there is one clip, and the process without one encodes texts that do not count.
    assert sum(parts) == alone + more
    assert max(parts) < 0.6 * alone


def test_what_two_processes_began_one_goes_on_with(by_two: Path, by_one: Path, tmp_path: Path) -> None:
    begun = by_two / "begun-by-two"
    assert "epoch 2 of 2: stopped (SIGTERM) after 1 of 6 steps" in (begun / "error.txt").read_text()
    (tmp_path / "state.pt").write_bytes((begun / "state.pt").read_bytes())
    train(tmp_path, "coop")
    assert_close(tmp_path, by_one / "adamw", "coop")


def test_what_one_process_began_two_go_on_with(by_two: Path, by_one: Path) -> None:
    assert "epoch 2 of 2: stopped" in (by_two / "begun-by-one/error.txt").read_text()
    assert_close(by_two / "begun-by-one", by_one / "adamw", "coop")


def test_a_training_that_diverges_says_the_step_that_one_process_would(by_two: Path, tmp_path: Path) -> None:
    train(tmp_path, "clip-adapter", recipe=DIVERGING)
    errors = [(folder / "error.txt").read_text().split(":")[0] for folder in (by_two / "diverged", tmp_path)]
    assert errors[0] == errors[1]
    assert "step" in errors[0]


def test_parts_make_up_the_batch_and_weights_its_mean() -> None:
    batch = np.arange(5, 12)
    parts = [Processes(rank, 3).part(batch) for rank in range(3)]
    assert np.concatenate([own for own, _ in parts]).tolist() == batch.tolist()
    values = batch.astype(float) ** 2
    means = [weight * values[own - 5].mean() for own, weight in parts if weight is not None]
    assert np.mean(means) == pytest.approx(values.mean())


def test_a_process_without_a_clip_takes_one_that_counts_for_nothing() -> None:
    own, weight = Processes(1, 2).part(np.array([4]))
    assert (own.tolist(), weight) == ([4], 0.0)
    assert Processes(0, 2).part(np.array([4]))[1] == 2.0
    assert ALONE.part(np.array([4]))[1] is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("zero-shot", "zero-shot learns nothing: run xmic train without torchrun"),
        ("a5", r"2 processes, but a5 is trained by one: its softmax is over the classes of the whole batch"),
        ("a6", r"2 processes, but a6 is trained by one: its softmax is over the classes of the whole batch"),
        ("examples.my_method:Corrected", r"is trained by one: it does not say that its batches may be split"),
    ],
)
def test_a_method_whose_batches_cannot_be_split_says_why(name: str, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        refuse_unsplittable(load_method(name), name, 2)


@pytest.fixture
def second_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """As torchrun starts the second of two processes, but with nobody to talk to."""
    for name, value in (("TORCHELASTIC_RUN_ID", "1"), ("WORLD_SIZE", "2"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    for name in ("init_process_group", "new_group", "destroy_process_group"):
        monkeypatch.setattr(f"torch.distributed.{name}", lambda *_, **__: None)
    monkeypatch.setattr("torch.distributed.get_rank", lambda: 1)


@pytest.mark.usefixtures("second_of_two")
@pytest.mark.parametrize("device", ["cuda:1", "mps"])
def test_one_device_for_all_processes_is_refused(device: str) -> None:
    with (
        pytest.raises(UsageError, match=f"--device {device}: torchrun started 2 processes"),
        joined(load_method("coop"), "coop", device),
    ):
        pass


@pytest.mark.usefixtures("second_of_two")
def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with (
        pytest.raises(UsageError, match=r"2 processes on this machine, which has 1 GPUs.*--nproc-per-node gpu"),
        joined(load_method("coop"), "coop", "cuda"),
    ):
        pass


@pytest.mark.usefixtures("second_of_two")
def test_a_lost_process_is_told_from_other_failures() -> None:
    lost = RuntimeError("[third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:1")
    with (
        pytest.raises(InputError, match=r"process 1 of 2: another process of this training has ended .*last saved"),
        joined(load_method("coop"), "coop", "cpu") as processes,
    ):
        assert (processes.rank, processes.size, processes.leads) == (1, 2, False)
        raise lost
    with pytest.raises(RuntimeError, match="out of memory"), joined(load_method("coop"), "coop", "cpu"):
        raise RuntimeError("CUDA out of memory")


def test_without_torchrun_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert started_by_torchrun() == 1
    with joined(load_method("a5"), "a5", "cpu") as processes:
        assert processes is ALONE
