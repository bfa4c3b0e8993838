"""Warn of trainings that hardly learn or cannot be compared."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipelines.engine.workspace import Workspace
from pipelines.hands.mixed import warnings_of_run
from pipelines.methods.recipe import Recipe
from pipelines.train.optim import learning_rate
from pipelines.train.policy import LEARNING_RATES, RecipeName
from pipelines.train.protocol import Protocol

FEW_STEPS = 200
"""Steps below which a training is called short."""

FEW_CLIPS = 20
"""Training clips per class below which a training is called poor."""

SMALLEST_MOVE = 0.01
"""Sum of the learning rates of all steps below which AdamW can hardly move a weight.

AdamW moves a weight by about the learning rate per step at most. Initial weights are about 0.03 (±1/√1024 to ±1/√512).
"""

LONGEST_VECTOR = 5.0
"""Length of the adapter's vector, as a multiple of what it is added to, above which the sum hides the latter."""

_AT_CHANCE = 0.01


def of_boxes(workspace: Workspace, dataset: str, protocol: Protocol) -> list[str]:
    """Warn of datasets that a run cannot be evaluated on.

    Their boxes are by other detectors than those of the run.
    """
    if protocol.hands is None:
        return []
    made = (vectors for stream, vectors in protocol.vectors.items() if stream.endswith(f"/{protocol.hands}"))
    detector = next((str(vectors["detector"]) for vectors in made if vectors.get("detector")), None)
    return warnings_of_run(workspace, dataset, detector) if detector else []


def before_training(recipe: Recipe, steps_per_epoch: int, name: RecipeName = "published") -> list[str]:
    """Return the warnings that a recipe and a number of steps give.

    Args:
        recipe: of the training.
        steps_per_epoch: number of steps per epoch.
        name: ``matched`` tries the learning rates of the matched recipes, and the largest counts.
    """
    found = []
    steps = steps_per_epoch * recipe.epochs
    if name == "matched":
        recipe = replace(recipe, lr=max(LEARNING_RATES))
    if steps < FEW_STEPS:
        found.append(
            f"{steps} steps in all: under {FEW_STEPS}, a training is short. More clips make more steps, and so do "
            f"--set epochs={recipe.epochs * 2} and --set batch={max(1, recipe.batch // 2)}."
        )
    if recipe.optimiser == "adamw":
        moved = sum(learning_rate(recipe, epoch) for epoch in range(recipe.epochs)) * steps_per_epoch
        if moved < SMALLEST_MOVE:
            found.append(
                f"{steps} steps at a learning rate of {recipe.lr:g} move a weight by at most {moved:.2g}, and initial "
                "weights are about 0.03: this recipe can hardly learn. Raise the learning rate, for example --set "
                "lr=0.0005."
            )
    return found


def too_few_clips(clips: int, classes: int) -> list[str]:
    """Return a warning where a class has few training clips on average.

    Args:
        clips: number of training clips.
        classes: C, number of classes.
    """
    if classes and clips < FEW_CLIPS * classes:
        return [
            f"{clips:,} training clips of {classes:,} classes are {clips / classes:.1f} a class: under {FEW_CLIPS}, "
            "accuracy depends on which clips they are. More clips help, and so do fewer classes."
        ]
    return []


def after_training(line: Mapping[str, Any], classes: int) -> list[str]:
    """Return the warnings that the kept epoch of a training gives.

    Args:
        line: the epoch's line of ``metrics.jsonl``.
        classes: C, number of classes.
    """
    found = []
    chance = math.log(classes)
    if classes > 1 and abs(line["loss"] - chance) <= _AT_CHANCE * chance:
        found.append(
            f"the loss came to rest at {line['loss']:.3f}, within 1 % of ln {classes} = {chance:.3f}: every class gets "
            "about the same score, so the text is drowned out or nothing was learned. Try another preset (xmic methods "
            "NAME lists them), a higher learning rate or more clips."
        )
    given = next((line[name] for name in ("text_norm", "video_norm") if name in line), None)
    if "xmic_norm" in line and given and line["xmic_norm"] > LONGEST_VECTOR * given:
        found.append(
            f"the X-MIC vector has length {line['xmic_norm']:.0f}, {line['xmic_norm'] / given:.0f} times that of what "
            "it is added to: it drowns it out. Try --preset recommended, or --set n2=true --set n3=true."
        )
    return found
