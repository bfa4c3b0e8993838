"""Run the recipe ``matched``: try learning rates and keep the best.

The rates are the same for every method; held-out recordings decide.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipelines.engine.atomic import replace_atomically
from pipelines.engine.digest import digest_json
from pipelines.engine.progress import Progress
from pipelines.methods.base import Method
from pipelines.methods.recipe import Recipe
from pipelines.train.checkpoint import STATE, load_weights, saved_tensors, write_weights
from pipelines.train.finished import WEIGHTS
from pipelines.train.loop import METRICS, TrainOutcome
from pipelines.train.optim import Diverged
from pipelines.train.policy import LEARNING_RATES

TRIALS = "trials"
_ACCURACY, _LOSS = "source_val_accuracy", "source_val_loss"

TrainTrial = Callable[[Method, Recipe, str, Path], TrainOutcome]
"""Trains a new method by a recipe, under a key, into a folder, or resumes there."""


def train_matched(
    make_method: Callable[[], Method],
    train: TrainTrial,
    recipe: Recipe,
    folder: Path,
    identity: Mapping[str, str],
    progress: Progress,
) -> tuple[TrainOutcome, float, list[dict[str, Any]]]:
    """Train a head at each learning rate and keep the best.

    The best trial has the highest top-1 accuracy on the held-out recordings in its kept epoch. Ties go to the lowest
    loss there, then to the lowest learning rate. The head's files are as if the best had been trained alone.

    Each trial lies in ``trials/lr-<rate>`` of the head's folder and resumes where it was stopped. A trial whose loss is
    not finite is recorded and cannot be the best.

    Args:
        make_method: makes the method with its initial weights, the same at every call.
        train: trains one trial; its lines of ``metrics.jsonl`` hold loss and accuracy on the held-out recordings.
        recipe: the method's own; only its learning rate is replaced.
        folder: the head's folder; receives the best trial's weights and metrics.
        identity: key, label and method of the head.
        progress: receives a note per trial.

    Returns:
        The outcome, its learning rate, and the trials. A trial is 'lr', 'epoch' (the kept one), 'source_val_accuracy'
        in percent and 'source_val_loss', or 'lr' and 'diverged' (where, in words).

    Raises:
        Interrupted: the training was stopped; the state is saved.
        Diverged: the loss was not finite at any learning rate.
    """
    outcomes: dict[float, TrainOutcome] = {}
    trials: list[dict[str, Any]] = []
    for number, rate in enumerate(LEARNING_RATES, 1):
        progress.note(f"{identity['label']}: trial {number} of {len(LEARNING_RATES)}, learning rate {rate:g}")
        key = digest_json([identity["key"], "lr", rate])
        try:
            outcome = train(make_method(), replace(recipe, lr=rate), key, _trial(folder, rate))
        except Diverged as error:
            progress.note(f"{identity['label']}: learning rate {rate:g} is too high. {error}")
            trials.append({"lr": rate, "diverged": str(error)})
            continue
        outcomes[rate] = outcome
        found = {name: outcome.final[name] for name in ("epoch", _ACCURACY, _LOSS)}
        trials.append({"lr": rate, **found})
    if not outcomes:
        raise Diverged(f"{folder}: the loss was not finite at any of the learning rates. {trials[0]['diverged']}")
    best = max(outcomes, key=lambda rate: (outcomes[rate].final[_ACCURACY], -outcomes[rate].final[_LOSS], -rate))
    method = make_method()
    load_weights(method, outcomes[best].weights)
    with replace_atomically(folder / METRICS) as temporary:
        shutil.copyfile(_trial(folder, best) / METRICS, temporary)
    write_weights(folder / WEIGHTS, saved_tensors(method), identity)
    for rate in LEARNING_RATES:
        (_trial(folder, rate) / STATE).unlink(missing_ok=True)
    return replace(outcomes[best], weights=folder / WEIGHTS), best, trials


def _trial(folder: Path, rate: float) -> Path:
    return folder / TRIALS / f"lr-{rate:g}"
