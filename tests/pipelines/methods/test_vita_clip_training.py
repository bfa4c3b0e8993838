from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data_manifests.errors import InputError, Interrupted
from pipelines.methods.base import ClipBatch, Method
from pipelines.methods.recipe import Recipe
from pipelines.train.loop import TrainOutcome, train_head
from tests.pipelines.methods.small_towers import NAMES, backbone, make, world
from tests.pipelines.train.loop_world import files, stop_before_step
from tests.pipelines.train.loop_world import train as train_vectors

RECIPE = Recipe(epochs=3, batch=4, lr=3e-3, warmup_epochs=0, schedule="cosine", weight_decay=0.05)
STEPS = 3


class PictureClips:
    """Twelve clips, the colour of which tells their class."""

    def __init__(self) -> None:
        batch, self.text = world(clips=12)
        self.labels = np.arange(12) % len(NAMES)
        pixels = batch.pixels // 4
        for clip, label in enumerate(self.labels):
            pixels[clip, :, label] += 190
        self._pixels = pixels

    def __len__(self) -> int:
        return 12

    def batch(self, indices: np.ndarray, epoch: int) -> ClipBatch:
        return ClipBatch(pixels=self._pixels[torch.from_numpy(indices)])


def train(folder: Path, method: Method | None = None, **options: Any) -> TrainOutcome:
    data = PictureClips()
    chosen = {"recipe": RECIPE, "seed": 5, "label": "noun", "key": "k1", "data": data, "text": data.text, **options}
    return train_head(method or make(), folder=folder, device=torch.device("cpu"), **chosen)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    train(folder)
    return folder


def test_it_learns_more_from_the_pictures_than_any_constant_answer_knows(tmp_path: Path) -> None:
    outcome = train(tmp_path, recipe=Recipe(epochs=20, batch=12, lr=3e-3, betas=(0.9, 0.99), warmup_epochs=0))
    assert outcome.final["loss"] < 0.95 * math.log(len(NAMES))


def test_frozen_weights_are_bit_identical_after_training(tmp_path: Path) -> None:
    base = backbone()
    method = make(base=base)
    kept = {**base.visual_tower._visual.state_dict(), **method.random_buffers(), "table": base.text_tower.table}
    before = {name: tensor.detach().clone() for name, tensor in kept.items()}
    start = {name: tensor.detach().clone() for name, tensor in method.named_parameters()}
    train(tmp_path, method)
    assert all(torch.equal(before[name], kept[name]) for name in before)
    assert all(
        not torch.equal(start[name], tensor) for name, tensor in method.named_parameters() if tensor.requires_grad
    )


def test_the_projection_is_trained_only_when_asked_for(tmp_path: Path) -> None:
    method = make(train_cls_proj=True)
    start = method.cls_proj[0].weight.detach().clone()
    train(tmp_path, method)
    assert not torch.equal(start, method.cls_proj[0].weight)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(whole: Path, tmp_path: Path) -> None:
    train(tmp_path / "again")
    train(tmp_path / "other", make(seed=1))
    assert files(tmp_path / "again") == files(whole)
    assert files(tmp_path / "other") != files(whole)


@pytest.mark.parametrize("stops", [[1], [STEPS], [2, 4]])
def test_a_stopped_training_resumes_to_the_same_bytes(whole: Path, tmp_path: Path, stops: list[int]) -> None:
    for stop in stops:
        with pytest.raises(Interrupted):
            train(tmp_path, stop=stop_before_step(stop))
    train(tmp_path)
    assert files(tmp_path) == files(whole)


@pytest.mark.parametrize(
    ("first", "second", "theirs"),
    [(train, train_vectors, "xmic"), (train_vectors, train, "vita-clip")],
    ids=["its state by xmic", "xmic's state by it"],
)
def test_a_half_trained_state_of_one_method_never_loads_as_another(
    tmp_path: Path, first: Callable[..., Any], second: Callable[..., Any], theirs: str
) -> None:
    with pytest.raises(Interrupted):
        first(tmp_path, stop=stop_before_step(2))
    before = files(tmp_path)
    with pytest.raises(InputError, match=f"this training is of method {theirs}"):
        second(tmp_path)
    assert files(tmp_path) == before


def test_a_half_trained_state_of_other_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        train(tmp_path, stop=stop_before_step(2))
    with pytest.raises(InputError, match="local_prompts has shape"):
        train(tmp_path, make(frames=2))
