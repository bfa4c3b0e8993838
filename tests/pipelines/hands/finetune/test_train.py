from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from data_manifests.errors import InputError
from packaged_models.hands import pictures as pictures_module
from packaged_models.hands.pictures import DrawnPictures
from pipelines.engine.progress import Silent
from pipelines.engine.training_state import read_state
from pipelines.hands.detector import load_detector
from pipelines.hands.finetune.batches import Batches, Stage
from pipelines.hands.finetune.network import loss_of, make_network
from pipelines.hands.finetune.train import LOG, STATE, Training, learning_rate, train_model
from pipelines.hands.model_file import read_model
from tests.pipelines.hands.finetune.tiny import TINY, TINY_ARCHITECTURE, write_pictures


class _Stop(Silent):
    """Ends a training after some steps, as a killed job does."""

    def __init__(self, after: int) -> None:
        self._left = after

    def state(self, text: str) -> None:
        self._left -= 1
        if not self._left:
            raise KeyboardInterrupt


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DrawnPictures:
    monkeypatch.setattr(pictures_module, "A_FILE", 6)
    write_pictures(tmp_path, 0, 6)
    return DrawnPictures(tmp_path, tmp_path / "hand.glb", 0, 1)


def trained(work: Path, drawn: DrawnPictures, training: Training = TINY, progress: Any = None) -> dict[str, Any]:
    file = work / "hands.safetensors"
    return train_model(
        work, drawn, training, TINY_ARCHITECTURE, None, file, progress or Silent(), {"pictures": "squares"}
    )


def test_a_training_that_was_stopped_ends_with_the_same_weights(
    tmp_path: Path, drawn: DrawnPictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trained(tmp_path / "whole", drawn)
    monkeypatch.setattr("pipelines.hands.finetune.train._CHECKPOINT_S", 0.0)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "stopped", drawn, progress=_Stop(3))
    assert read_state(tmp_path / "stopped" / STATE)["done"] == 3
    assert trained(tmp_path / "stopped", drawn)["sha256"] == whole["sha256"]
    assert whole["pictures"] == 16


def test_the_finished_model_is_one_the_detector_takes(
    tmp_path: Path, drawn: DrawnPictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = trained(tmp_path / "work", drawn, replace(TINY, budget=8))
    model = read_model(Path(made["file"]))
    assert model.image_size == 64
    assert model.made["pictures"] == "squares"
    assert model.made["training"]["budget"] == 8
    monkeypatch.setattr("pipelines.hands.yolo_boxes.MIN_SCORE", 0.0)  # two steps make no sure hands
    detector = load_detector("yolo", weights=made["file"], batch_size=1)
    assert detector.provenance["classes"] == {"left hand": "left", "right hand": "right"}
    (boxes,) = detector.detect([drawn.read(1)[0]])
    assert boxes
    assert {box.side for box in boxes} <= {"left", "right"}


def test_the_checkpoint_of_another_training_is_refused(tmp_path: Path, drawn: DrawnPictures) -> None:
    trained(tmp_path / "work", drawn, replace(TINY, budget=4))
    with pytest.raises(InputError, match="with other settings, pictures or boxes"):
        trained(tmp_path / "work", drawn, replace(TINY, budget=4, lr=1e-4))


def test_a_checkpoint_of_other_drawings_is_refused(tmp_path: Path, drawn: DrawnPictures) -> None:
    short = replace(TINY, budget=4)
    assert not trained(tmp_path / "work", drawn, short)["already_done"]
    assert trained(tmp_path / "work", drawn, short)["already_done"]
    (tmp_path / "pictures-0" / "0000.npz").unlink()
    (tmp_path / "pictures-0").rmdir()
    write_pictures(tmp_path, 1, 6).parent.rename(tmp_path / "pictures-0")
    with pytest.raises(InputError, match="with other settings, pictures or boxes"):
        trained(tmp_path / "work", replace(drawn), short)


def test_the_loss_falls_and_is_logged(tmp_path: Path, drawn: DrawnPictures) -> None:
    short = replace(TINY, budget=80, stages=(Stage(1.0, 96, 0.0),), lr=5e-3)
    made = trained(tmp_path / "work", drawn, short)
    (line,) = (tmp_path / "work" / LOG).read_text().splitlines()
    assert json.loads(line) == {"step": 20, "loss": round(made["loss"], 4)}
    batch = Batches(drawn, 9, 6, short.stages[0])[0]
    network = make_network(TINY_ARCHITECTURE, 2, short.seed)
    untrained = loss_of(network, batch).item()
    written = read_model(Path(made["file"])).checkpoint.state
    network.load_state_dict({name: value.float() for name, value in written.items()})
    assert loss_of(network, batch).item() < 0.8 * untrained


def test_the_running_average_of_the_weights_is_written(tmp_path: Path, drawn: DrawnPictures) -> None:
    made = trained(tmp_path / "work", drawn, replace(TINY, budget=4))
    written = read_model(Path(made["file"])).checkpoint.state
    state = read_state(tmp_path / "work" / STATE)
    start = make_network(TINY_ARCHITECTURE, 2, TINY.seed).state_dict()
    assert state["done"] == 1
    for name, mean in state["average"].items():
        assert torch.equal(written[name], mean.half() if mean.is_floating_point() else mean)
        if mean.is_floating_point():
            torch.testing.assert_close(mean, start[name].lerp(state["network"][name], 10 / 11))
    name = "model.0.conv.weight"
    assert not torch.equal(written[name], start[name].half())
    assert not torch.equal(written[name], state["network"][name].half())


def test_steps_without_finite_gradients_are_left_out(
    tmp_path: Path, drawn: DrawnPictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.hands.finetune import train as train_module

    real = train_module.loss_of
    monkeypatch.setattr(train_module, "loss_of", lambda network, batch: real(network, batch) * float("inf"))
    made = trained(tmp_path / "work", drawn, replace(TINY, budget=8))
    assert made["skipped"] == 2
    state = read_model(Path(made["file"])).checkpoint.state
    assert all(torch.isfinite(value.float()).all() for value in state.values())


def test_the_rate_rises_and_falls() -> None:
    training = Training(budget=3200, stages=TINY.stages, lr=1.0, warmup=0.1)
    assert training.steps == 100
    rates = [learning_rate(training, step) for step in range(101)]
    assert rates[:10] == [pytest.approx((step + 1) / 10) for step in range(10)]
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(0.01)
