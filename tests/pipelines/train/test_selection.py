from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional as F

from data_manifests.errors import InputError, Interrupted
from pipelines.methods.backbone import Backbone
from pipelines.methods.base import Method, build_method
from pipelines.methods.recipe import Recipe
from pipelines.train.loop import train_head
from pipelines.train.optim import Diverged
from pipelines.train.selection import ValidationSet, best_epoch, require_clips
from tests.pipelines.train.loop_world import (
    CPU,
    DIM,
    RECIPE,
    STEPS,
    DropConfig,
    Drops,
    Notes,
    files,
    small_xmic,
    stop_before_step,
    train,
    world,
)

UNSEEN, TEXT = world(30, seed=9)
WATCHED = ValidationSet("source_val", UNSEEN, TEXT)
# Overfits soon, so that the best epoch is not the last one.
LONG = Recipe(epochs=5, batch=16, lr=2e-2, warmup_epochs=1)


def lines_of(folder: Path) -> list[str]:
    return (folder / "metrics.jsonl").read_text().splitlines()


def test_watched_clips_are_measured_as_they_would_be_evaluated() -> None:
    method = small_xmic().eval()
    with torch.no_grad():
        logits = method(UNSEEN.batch(np.arange(30), 0), TEXT)
    labels = torch.from_numpy(UNSEEN.labels)
    found = WATCHED.measure(method, CPU, "")
    assert found == {
        "source_val_loss": pytest.approx(F.cross_entropy(logits, labels).item(), rel=1e-5),
        "source_val_accuracy": pytest.approx(100 * (logits.argmax(1) == labels).double().mean().item()),
    }


def test_every_epoch_says_how_the_watched_clips_stand_and_nothing_else_changes(whole: Path, tmp_path: Path) -> None:
    notes = Notes()
    train(tmp_path, watched=[WATCHED], progress=notes)
    assert files(tmp_path)["weights.safetensors"] == files(whole)["weights.safetensors"]
    for line, plain in zip(map(json.loads, lines_of(tmp_path)), map(json.loads, lines_of(whole)), strict=True):
        assert {name: line.pop(name) for name in ("source_val_loss", "source_val_accuracy")}
        assert line == plain
    assert "source val accuracy" in notes.states[0]


def state_of_epoch(folder: Path, epoch: int) -> dict[str, torch.Tensor]:
    """The trained tensors after an epoch of the long training, from a training that ends there."""
    method = small_xmic()
    train(folder, method, recipe=Recipe(**{**vars(LONG), "epochs": epoch}))
    return load_file(folder / "weights.safetensors")


def test_the_best_epoch_on_the_watched_clips_is_kept(tmp_path: Path) -> None:
    method = small_xmic()
    outcome = train(tmp_path / "chosen", method, recipe=LONG, watched=[WATCHED], chosen_by="source_val_accuracy")
    accuracies = [json.loads(line)["source_val_accuracy"] for line in lines_of(tmp_path / "chosen")]
    assert outcome.final["source_val_accuracy"] == max(accuracies)
    epoch = outcome.final["epoch"]
    kept = load_file(tmp_path / "chosen/weights.safetensors")
    torch.testing.assert_close(kept, state_of_epoch(tmp_path / "there", epoch), rtol=0, atol=0)
    assert all(torch.equal(method.get_parameter(name), tensor) for name, tensor in kept.items())
    assert WATCHED.measure(method.eval(), CPU, "")["source_val_accuracy"] == max(accuracies)
    again = train(tmp_path / "chosen", small_xmic(), recipe=LONG, watched=[WATCHED], chosen_by="source_val_accuracy")
    assert again.already_done
    assert again.final == outcome.final


class Declining:
    """ValidationSet clips on which the first epoch is the best whatever is learned."""

    name = "source_val"
    data, text = UNSEEN, TEXT

    def __init__(self) -> None:
        self.asked = 0

    def measure(self, method: Method, device: torch.device, where: str) -> dict[str, float]:
        epoch = int(where.split("epoch ")[1].split(" ")[0])
        return {"source_val_loss": float(epoch), "source_val_accuracy": 50.0 - epoch}


@pytest.mark.parametrize("stop", [STEPS, STEPS + 2, 3 * STEPS - 1])
def test_a_stopped_training_remembers_the_best_epoch_and_resumes_to_the_same_bytes(tmp_path: Path, stop: int) -> None:
    options: dict[str, Any] = {"watched": [Declining()], "chosen_by": "source_val_accuracy"}
    first = train(tmp_path / "whole", **options)
    assert first.final["epoch"] == 1
    with pytest.raises(Interrupted):
        train(tmp_path / "resumed", stop=stop_before_step(stop), **options)
    train(tmp_path / "resumed", **options)
    assert files(tmp_path / "resumed") == files(tmp_path / "whole")
    torch.testing.assert_close(
        load_file(tmp_path / "whole/weights.safetensors"),
        {name: t.detach() for name, t in _after_one_epoch(tmp_path / "one").items()},
        rtol=0,
        atol=0,
    )


def _after_one_epoch(folder: Path) -> dict[str, torch.Tensor]:
    train(folder, recipe=Recipe(**{**vars(RECIPE), "epochs": 1}))
    return load_file(folder / "weights.safetensors")


def test_watching_draws_nothing_from_the_generator_of_the_training(tmp_path: Path) -> None:
    def drops() -> Method:
        return build_method(Drops, DropConfig(), Backbone(DIM, DIM, 1.0), seed=0)

    train(tmp_path / "plain", drops())
    train(tmp_path / "watched", drops(), watched=[WATCHED])
    assert files(tmp_path / "plain")["weights.safetensors"] == files(tmp_path / "watched")["weights.safetensors"]


@pytest.mark.parametrize(
    ("pairs", "kept"),
    [
        ([(10, 1), (30, 3), (20, 0.1)], 1),
        ([(30, 3), (30, 2), (30, 2)], 1),
        ([(30, 2), (30, 2)], 0),
    ],
)
def test_the_highest_accuracy_is_kept_then_the_lowest_loss_then_the_first(
    pairs: list[tuple[float, float]], kept: int
) -> None:
    lines = [json.dumps({"target_accuracy": a, "target_loss": loss}) for a, loss in pairs]
    assert best_epoch(lines, "target_accuracy") == kept
    assert best_epoch(lines, None) == len(lines) - 1


def test_clips_that_can_not_be_watched_are_refused(tmp_path: Path) -> None:
    empty, _ = world(1)
    empty._frames, empty.labels = empty._frames[:0], empty.labels[:0]
    with pytest.raises(InputError, match="source_val: none of its clips carries this label and has all its vectors"):
        train(tmp_path, watched=[ValidationSet("source_val", empty, TEXT)])
    with pytest.raises(InputError, match="target: labels from 0 to 5, but there are 3 classes"):
        require_clips("target", UNSEEN, 3)


def test_weights_that_overflow_in_the_last_step_of_an_epoch_are_told(tmp_path: Path) -> None:
    method = small_xmic()
    with torch.no_grad():
        method.get_parameter("logit_scale").fill_(torch.inf)
    with pytest.raises(Diverged, match="here: the loss on the source_val clips is nan; the learning rate is too high"):
        WATCHED.measure(method, CPU, "here")


def test_a_learning_rate_that_is_too_high_is_told_from_damaged_vectors(tmp_path: Path) -> None:
    data, text = world()
    with pytest.raises(Diverged):
        train(tmp_path / "high", recipe=Recipe(epochs=3, batch=16, lr=1e30, warmup_epochs=0))
    data._frames[:] = torch.inf
    with pytest.raises(InputError) as caught:
        train_head(small_xmic(), data, text, RECIPE, 0, tmp_path / "bad", CPU, label="noun", key="k")
    assert not isinstance(caught.value, Diverged)
