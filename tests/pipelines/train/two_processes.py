"""Trains several small heads in the processes that torchrun starts: ``two_processes.py FOLDER``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from data_manifests.errors import Interrupted
from pipelines.methods import load_method
from pipelines.methods.recipe import Recipe
from pipelines.methods.text_tower import TextTower
from pipelines.train.follow import follow_head
from pipelines.train.loop import train_head
from pipelines.train.optim import Diverged
from pipelines.train.processes import ALONE, Processes, joined
from pipelines.train.steps import Steps
from tests.pipelines.train.every_method import LEARNING, RECIPE, make, world
from tests.pipelines.train.loop_world import CPU, stop_before_step

SPLITTING = [name for name in LEARNING if load_method(name).splits_batches]
# AdamW would make as much of a gradient that is zero but for rounding as of any other.
PLAIN = replace(RECIPE, optimiser="sgd", lr=0.01)
SPLIT_RECIPES = dict.fromkeys(SPLITTING, PLAIN)
# A clip for each process: where a method has texts per clip, those of the two must not be mixed.
SPLIT_RECIPES["cocoop"] = replace(PLAIN, batch=2)
DIVERGING = replace(RECIPE, lr=1e30)
HALF = 7
"""Steps after which a training is stopped: in the second epoch."""


def train(
    folder: Path,
    name: str,
    processes: Processes = ALONE,
    recipe: Recipe = RECIPE,
    stop: Callable[[], str | None] = lambda: None,
    **settings: Any,
) -> None:
    """Train or resume a head; one that is stopped or diverges leaves what it leaves."""
    data, text = world(name)
    method = make(name, **settings)
    if not processes.leads:
        assignment = processes.give(None)
        steps = Steps(method, data, data.labels, text, assignment.recipe, 3, CPU, "fp32", processes)
        follow_head(method, steps, assignment, processes)
        return
    try:
        train_head(method, data, text, recipe, 3, folder, CPU, label="noun", key="k", stop=stop, processes=processes)
    except (Interrupted, Diverged) as error:
        (folder / "error.txt").write_text(str(error))


class CountedTower:
    """Counts the texts that go through text towers with gradients."""

    def __init__(self) -> None:
        self.texts = 0
        self._encode = TextTower.encode

    def encode(self, tower: TextTower, embeddings: Tensor, *options: Any) -> Tensor:
        self.texts += len(embeddings) * torch.is_grad_enabled()
        return self._encode(tower, embeddings, *options)

    def __enter__(self) -> CountedTower:
        TextTower.encode = lambda tower, *given: self.encode(tower, *given)  # type: ignore[method-assign]
        return self

    def __exit__(self, *error: object) -> None:
        TextTower.encode = self._encode  # type: ignore[method-assign]


if __name__ == "__main__":
    torch.set_num_threads(1)
    root = Path(sys.argv[1])
    with joined(load_method("xmic"), "xmic", "cpu") as both:
        for one in SPLITTING:
            with CountedTower() as counted:
                train(root / one, one, both, SPLIT_RECIPES[one])
            (root / f"{one}-texts-{both.rank}.txt").write_text(str(counted.texts))
        train(root / "begun-by-two", "coop", both, stop=stop_before_step(HALF))
        train(root / "begun-by-one", "coop", both)
        train(root / "diverged", "clip-adapter", both, DIVERGING)
