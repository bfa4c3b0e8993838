"""Make the optimiser and compute the learning rate of each epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable

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

    The caller sets its learning rate before each epoch.
    """
    rate = learning_rate(recipe, 0)
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(list(parameters), rate, recipe.momentum, weight_decay=recipe.weight_decay)
    return torch.optim.AdamW(list(parameters), rate, recipe.betas, weight_decay=recipe.weight_decay)
