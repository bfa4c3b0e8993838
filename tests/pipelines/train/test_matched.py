from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from data_manifests.errors import InputError, Interrupted
from pipelines.engine.progress import Silent
from pipelines.methods.base import Method
from pipelines.methods.recipe import Recipe
from pipelines.train import matched
from pipelines.train.loop import TrainOutcome
from pipelines.train.matched import train_matched
from pipelines.train.selection import ValidationSet
from tests.pipelines.train.loop_world import Notes, small_xmic, stop_before_step, train, world

UNSEEN, TEXT = world(30, seed=9)
IDENTITY = {"key": "k1", "label": "noun", "method": "xmic"}
RECIPE = Recipe(epochs=2, batch=28, warmup_epochs=0)
RATES = (1e-6, 3e-3, 1e30)


@pytest.fixture(autouse=True)
def _few_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matched, "LEARNING_RATES", RATES)


def run(folder: Path, progress: Any = None, **options: Any) -> tuple[TrainOutcome, float, list[dict[str, Any]]]:
    def one(method: Method, recipe: Recipe, key: str, where: Path) -> TrainOutcome:
        watched = [ValidationSet("source_val", UNSEEN, TEXT)]
        return train(where, method, recipe=recipe, key=key, watched=watched, **options)

    return train_matched(small_xmic, one, RECIPE, folder, IDENTITY, progress or Silent())


def artifacts(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[TrainOutcome, float, list[dict[str, Any]]]]:
    folder = tmp_path_factory.mktemp("matched")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matched, "LEARNING_RATES", RATES)
        return folder, run(folder)


def test_every_rate_is_tried_and_recorded_and_the_best_is_the_head(finished) -> None:
    folder, (outcome, rate, trials) = finished
    assert rate == 3e-3
    assert [trial["lr"] for trial in trials] == list(RATES)
    assert trials[1]["source_val_accuracy"] > trials[0]["source_val_accuracy"]
    assert set(trials[1]) == {"lr", "epoch", "source_val_accuracy", "source_val_loss"}
    assert outcome.weights == folder / "weights.safetensors"
    best = folder / "trials/lr-0.003"
    torch.testing.assert_close(load_file(outcome.weights), load_file(best / "weights.safetensors"), rtol=0, atol=0)
    assert (folder / "metrics.jsonl").read_bytes() == (best / "metrics.jsonl").read_bytes()
    assert json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1]) == outcome.final


def test_the_best_trial_is_what_training_at_its_rate_alone_gives(finished, tmp_path: Path) -> None:
    folder, _ = finished
    train(tmp_path, recipe=Recipe(**{**vars(RECIPE), "lr": 3e-3}))
    alone, chosen = (load_file(place / "weights.safetensors") for place in (tmp_path, folder))
    torch.testing.assert_close(chosen, alone, rtol=0, atol=0)


def test_the_head_carries_its_own_identity_and_no_state_is_left(finished) -> None:
    folder, _ = finished
    with safe_open(folder / "weights.safetensors", framework="pt") as file:
        assert file.metadata() == IDENTITY
    with safe_open(folder / "trials/lr-0.003/weights.safetensors", framework="pt") as file:
        assert file.metadata()["key"] != IDENTITY["key"]
    assert not list(folder.rglob("state.pt"))


def test_a_trial_whose_loss_is_not_finite_is_recorded_and_passed_over(finished) -> None:
    _, (_, _, trials) = finished
    assert set(trials[2]) == {"lr", "diverged"}
    assert "epoch" in trials[2]["diverged"]


@pytest.mark.parametrize("stops", [[1], [3], [5], [1, 2, 1]])
def test_stopped_in_any_trial_it_goes_on_to_the_same_bytes(finished, tmp_path: Path, stops: list[int]) -> None:
    folder, result = finished
    for stop in stops:
        with pytest.raises(Interrupted):
            run(tmp_path, stop=stop_before_step(stop))
    again = run(tmp_path)
    assert again[1:] == result[1:]
    assert again[0].final == result[0].final
    assert artifacts(tmp_path) == artifacts(folder)


def test_each_trial_is_announced(tmp_path: Path) -> None:
    notes = Notes()
    run(tmp_path, notes)
    said = [text for text in notes.texts if text.startswith("noun: ")]
    assert said[:2] == ["noun: trial 1 of 3, learning rate 1e-06", "noun: trial 2 of 3, learning rate 0.003"]
    assert said[3].startswith("noun: learning rate 1e+30 is too high. training of noun, epoch ")


def test_when_every_rate_is_too_high_the_head_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matched, "LEARNING_RATES", (1e30,))
    with pytest.raises(InputError, match="the loss was not finite at any of the learning rates"):
        run(tmp_path)
    assert not (tmp_path / "weights.safetensors").exists()
