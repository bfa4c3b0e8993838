"""Make the optimiser and compute the learning rate of each epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from data_manifests.errors import InputError
from pipelines.methods.recipe import Recipe


class Diverged(InputError):
    """Error of a training whose loss is not finite.

    Vectors and text are finite, so the learning rate is too high.
    """


def learning_rate(recipe: Recipe, epoch: int) -> float:
    """Compute the learning rate of a whole epoch, counted from 0.

    In a warm-up of W epochs, epoch 0 uses ``warmup_lr`` and epoch k < W uses lr·k/W. From epoch W on the rate is lr,
    or with ``cosine`` lr·½(1 + cos(π(k − W)/E)) for E epochs in all. These are Dassl's schedules, stepped once per
    epoch.
    """
    if epoch >= recipe.warmup_epochs:
        if recipe.schedule == "cosine":
            return recipe.lr * (1 + math.cos(math.pi * (epoch - recipe.warmup_epochs) / recipe.epochs)) / 2
        return recipe.lr
    return recipe.warmup_lr if epoch == 0 else recipe.lr * epoch / recipe.warmup_epochs


def make_optimiser(recipe: Recipe, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Make the optimiser over all given parameters.

    The caller sets its learning rate before each epoch. On CUDA it is one kernel for all parameters (``fused``). A CPU
    keeps the plain form: the fused one rounds otherwise.
    """
    rate, trained = learning_rate(recipe, 0), list(parameters)
    fused = True if all(tensor.device.type == "cuda" for tensor in trained) else None
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(trained, rate, recipe.momentum, weight_decay=recipe.weight_decay, fused=fused)
    return torch.optim.AdamW(trained, rate, recipe.betas, weight_decay=recipe.weight_decay, fused=fused)


def load_state(optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load an optimiser's state, which may come from another kind of device.

    Whether steps are fused is a matter of the device, not of the state.
    """
    own = optimiser.param_groups
    groups = [{**saved, "fused": mine["fused"]} for saved, mine in zip(state["param_groups"], own, strict=True)]
    optimiser.load_state_dict({**state, "param_groups": groups})
