from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import nn

from data_manifests.errors import InputError, Interrupted, UsageError
from pipelines.evaluate.metrics import top_k
from pipelines.methods.backbone import Backbone
from pipelines.methods.base import Method, build_method
from pipelines.methods.recipe import Recipe
from pipelines.methods.zero_shot import ZeroShot, ZeroShotConfig
from pipelines.train.checkpoint import Checkpoint, TrainProgress
from pipelines.train.steps import Steps, epoch_order
from tests.pipelines.one_thread import threads
from tests.pipelines.train.loop_world import (
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


def test_another_seed_gives_another_head(whole: Path, tmp_path: Path) -> None:
    train(tmp_path, seed=6)
    assert files(tmp_path)["weights.safetensors"] != files(whole)["weights.safetensors"]


def test_a_line_of_metrics_says_how_an_epoch_went(whole: Path) -> None:
    lines = [json.loads(line) for line in (whole / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert [line["learning_rate"] for line in lines] == [1e-7, 2e-3, 2e-3]
    names = ["epoch", "loss", "train_accuracy", "learning_rate", "logit_scale", "text_norm", "xmic_norm", "clips"]
    assert all(list(line) == names and line["clips"] == 56 for line in lines)
    assert all(0 <= line["train_accuracy"] <= 100 for line in lines)


def test_loss_and_accuracy_are_means_over_the_clips_of_the_epoch(tmp_path: Path) -> None:
    data, text = world()
    method = small_xmic()
    with torch.no_grad():
        logits = method(data.batch(np.arange(56), 0), text)
    target = torch.from_numpy(data.labels)
    outcome = train(tmp_path, recipe=Recipe(epochs=1, batch=16, lr=0, warmup_lr=0, weight_decay=0))
    assert outcome.final["loss"] == pytest.approx(nn.functional.cross_entropy(logits, target).item(), rel=1e-5)
    assert outcome.final["train_accuracy"] == pytest.approx(100 * (logits.argmax(1) == target).double().mean().item())


def test_weights_carry_what_was_trained_and_by_whom(whole: Path, tmp_path: Path) -> None:
    with safe_open(whole / "weights.safetensors", framework="pt") as file:
        assert file.metadata() == {"key": "k1", "label": "noun", "method": "xmic"}
        assert set(file.keys()) == {name for name, _ in small_xmic().named_parameters()}
    train(tmp_path, build_method(Drops, DropConfig(), Backbone(DIM, DIM, 1.0), seed=0))
    with safe_open(tmp_path / "weights.safetensors", framework="pt") as file:
        assert set(file.keys()) == {"map.weight", "map.bias"}


def test_a_finished_head_is_returned_without_work(whole: Path) -> None:
    before = files(whole)
    method = small_xmic(seed=9)
    outcome = train(whole, method, stop=lambda: pytest.fail("a step was about to be made"))
    assert outcome.already_done
    assert outcome.final["epoch"] == 3
    assert files(whole) == before
    with safe_open(whole / "weights.safetensors", framework="pt") as file:
        assert torch.equal(method.get_parameter("positions"), file.get_tensor("positions"))


def test_a_state_left_behind_by_a_finished_head_is_removed(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        train(tmp_path, stop=stop_before_step(1))
    (tmp_path / "weights.safetensors").write_bytes(files(whole)["weights.safetensors"])
    assert train(tmp_path).already_done
    assert "state.pt" not in files(tmp_path)


def test_the_interruption_says_where_it_stands_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Interrupted) as caught:
        train(tmp_path, stop=stop_before_step(STEPS + 1))
    assert str(caught.value) == (
        "training of noun, epoch 2 of 3: stopped (SIGTERM) after 1 of 4 steps. "
        f"The state is in {tmp_path / 'state.pt'}; the same command goes on from there."
    )
    assert caught.value.exit_code == 130


def test_the_deadline_stops_before_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(Interrupted, match=r"epoch 1 of 3: stopped \(time limit\) after 0 of 4 steps"):
        train(tmp_path, deadline=time.monotonic())
    assert "state.pt" in files(tmp_path)


def test_a_deadline_far_away_stops_nothing(whole: Path, tmp_path: Path) -> None:
    train(tmp_path, deadline=time.monotonic() + 3600, checkpoint_minutes=60)
    assert files(tmp_path) == files(whole)


@pytest.mark.parametrize(("minutes", "saves"), [(None, 2), (60.0, 2), (0.0, 2 + 3 * STEPS)])
def test_checkpoints_are_taken_between_epochs_and_within_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, minutes: float | None, saves: int
) -> None:
    save, places = Checkpoint.save, []

    def counted(self: Checkpoint, place: TrainProgress) -> None:
        places.append((place.epoch, place.step))
        save(self, place)

    monkeypatch.setattr(Checkpoint, "save", counted)
    train(tmp_path, checkpoint_minutes=minutes)
    assert len(places) == saves
    assert {(1, 0), (2, 0)} <= set(places)


def test_progress_counts_every_step_and_tells_every_epoch(tmp_path: Path) -> None:
    notes = Notes()
    with pytest.raises(Interrupted):
        train(tmp_path, stop=stop_before_step(STEPS + 1), progress=notes)
    assert (notes.started, notes.steps, notes.finished) == ([("train noun", 12)], STEPS + 1, 0)
    again = Notes()
    train(tmp_path, progress=again)
    assert (again.started, again.steps, again.finished) == ([("train noun", 12)], 12, 1)
    said = [text.split(":")[0] for text in notes.states + again.states]
    assert said == [f"epoch {epoch} of 3" for epoch in (1, 2, 3)]


@pytest.mark.parametrize("kind", ["state", "weights"])
@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"key": "k2"}, "is of key k1, this training is of key k2"),
        ({"label": "verb"}, "is of label noun, this training is of label verb"),
        ({"method": "other"}, "is of method xmic, this training is of method other"),
    ],
)
def test_files_of_another_training_are_refused(
    whole: Path, tmp_path: Path, kind: str, change: dict[str, str], text: str
) -> None:
    if kind == "state":
        with pytest.raises(Interrupted):
            train(tmp_path, stop=stop_before_step(1))
    else:
        (tmp_path / "weights.safetensors").write_bytes(files(whole)["weights.safetensors"])
    before = files(tmp_path)
    method = small_xmic()
    if "method" in change:
        method.name = change["method"]  # type: ignore[misc]
        change = {}
    with pytest.raises(InputError, match=f"{text}. It is not overwritten: train into another run, or remove"):
        train(tmp_path, method, **change)
    assert files(tmp_path) == before


def test_the_thread_count_is_restored_with_a_warning_and_put_back_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Steps, "threads", lambda _: torch.get_num_threads())  # as for large steps
    with pytest.raises(Interrupted):
        train(tmp_path, stop=stop_before_step(1))
    notes, seen = Notes(), []
    with threads(2):
        train(tmp_path, progress=notes, stop=lambda: seen.append(torch.get_num_threads()))  # type: ignore[func-returns-value]
        assert torch.get_num_threads() == 2
    assert notes.texts[0].startswith("going on with 1 threads as before, not the 2 of this machine")
    assert set(seen) == {1}


def test_torchs_generator_is_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    train(tmp_path, recipe=replace(RECIPE, epochs=1))
    assert torch.equal(torch.get_rng_state(), before)


def test_text_vectors_are_frozen(tmp_path: Path) -> None:
    _, text = world()
    before = text.vectors.clone()
    train(tmp_path, text=text)
    assert torch.equal(text.vectors, before)
    assert text.vectors.grad is None


def test_an_epoch_visits_every_clip_once_in_an_order_of_its_own() -> None:
    orders = [epoch_order(seed, epoch, 50) for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3
    assert np.array_equal(orders[0], epoch_order(0, 0, 50))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_it_learns_what_zero_shot_cannot_do(tmp_path: Path, precision: str) -> None:
    data, text = world(120)
    unseen, _ = world(200)
    method, zero_shot = small_xmic(), ZeroShot(ZeroShotConfig(), Backbone(DIM, DIM, 20.0))
    recipe = Recipe(epochs=15, batch=24, lr=3e-3, warmup_epochs=1)
    train(tmp_path, method, data=data, text=text, recipe=recipe, precision=precision)
    losses = [json.loads(line)["loss"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert losses[-1] < losses[0] / 2

    def accuracy(chosen: Method) -> float:
        with torch.no_grad():
            scores = chosen.eval()(unseen.batch(np.arange(200), 0), text)
        return top_k(scores.numpy(), unseen.labels)

    assert accuracy(method) > accuracy(zero_shot) + 20


def test_a_method_without_parameters_is_finished_at_once(tmp_path: Path) -> None:
    notes = Notes()
    outcome = train(tmp_path, ZeroShot(ZeroShotConfig(), Backbone(DIM, DIM, 20.0)), progress=notes)
    assert notes.texts == ["zero-shot has nothing to train"]
    assert outcome.final == {}
    with safe_open(tmp_path / "weights.safetensors", framework="pt") as file:
        assert (list(file.keys()), file.metadata()["method"]) == ([], "zero-shot")


def spoilt(where: str) -> dict[str, Any]:
    data, text = world()
    if where == "clip":
        data._frames[17] = torch.inf
    elif where == "text":
        text.vectors[2, 0] = torch.nan
    return {"data": data, "text": text}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            spoilt("clip"),
            r"epoch 1 of 3, step \d of 4: the loss is nan\. The frames vectors of training clip 17 are not finite: "
            r"run xmic status --verify, then the same xmic embed\.",
        ),
        (
            spoilt("text"),
            r"epoch 1 of 3, step 1 of 4: the loss is nan\. The text vector of class 'class 2' is not finite",
        ),
        (
            {"recipe": replace(RECIPE, lr=1e30, warmup_epochs=0)},
            r"epoch 1 of 3, step 2 of 4: the loss is nan\. The (weights \(\S+\)|logits) have overflown, most likely "
            r"because the learning rate 1e\+30 is too high: try --set lr=1e\+29\.",
        ),
    ],
)
def test_a_loss_that_is_not_finite_names_its_likely_cause(tmp_path: Path, options: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match="training of noun, " + text):
        train(tmp_path, **options)
    assert "weights.safetensors" not in files(tmp_path)


def test_overflown_weights_are_named(tmp_path: Path) -> None:
    method = small_xmic()
    with torch.no_grad():
        method.get_parameter("positions").fill_(torch.nan)
    with pytest.raises(InputError, match=r"The weights \(positions\) have overflown"):
        train(tmp_path, method)


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (np.zeros(0, np.int64), r"56 clips and 0 labels to train on: expected as many of both, one or more\. Check"),
        (np.zeros(55, np.int64), "56 clips and 55 labels to train on"),
        (np.full(56, 6), r"training clip 0 has label 6, but there are 6 classes \(0 to 5\)\. The text is of another"),
        (np.full(56, -1), "training clip 0 has label -1"),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path: Path, labels: np.ndarray, text: str) -> None:
    data, _ = world()
    data.labels = labels
    with pytest.raises(InputError, match=text):
        train(tmp_path, data=data)


def test_an_unknown_precision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--precision fp16: expected fp32 or bf16"):
        train(tmp_path, precision="fp16")
