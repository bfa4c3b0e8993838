"""Train one head (noun or verb): select clips, hold out recordings, train."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data_manifests.errors import InputError
from data_manifests.schema import Label
from pipelines.engine.digest import digest_json
from pipelines.engine.progress import Progress
from pipelines.methods.base import Method, TextBank, trained_count
from pipelines.methods.recipe import Recipe
from pipelines.train.data import ClipData, GatheredClips, LoadedSplit, usable_clips
from pipelines.train.features import require_width
from pipelines.train.finished import write_summary
from pipelines.train.hold_out import hold_out
from pipelines.train.loop import TrainOutcome, train_head
from pipelines.train.matched import train_matched
from pipelines.train.plan import PlannedRun
from pipelines.train.processes import ALONE, Processes
from pipelines.train.selection import ValidationSet
from pipelines.train.warnings import after_training, before_training, too_few_clips


@dataclass(frozen=True)
class TrainSession:
    """Device, progress, limits, trackers and processes of one call of ``xmic train``.

    None of them is part of the key. See :func:`pipelines.train.loop.train_head`. ``log`` receives the part of the run
    too, such as 'noun' or 'noun/lr-0.001'.
    """

    device: torch.device
    progress: Progress
    checkpoint_minutes: float | None
    deadline: float | None
    stop: Callable[[], str | None]
    log: Callable[[str, Sequence[str]], None] = lambda part, lines: None
    processes: Processes = ALONE


def training_clips(planned: PlannedRun, label: Label, split: LoadedSplit) -> tuple[GatheredClips, GatheredClips | None]:
    """Select a head's training clips and those held out.

    Returns:
        Clips with a label and all their vectors. The second are None if no recording is held out.
    """
    usable, percent = usable_clips(split.clips, split.streams, label), planned.options.policy.source_val
    if percent is None:
        return usable, None
    held = hold_out(split.clips.recordings, percent)[usable.rows]
    return usable.where(~held), usable.where(held)


def training_data(planned: PlannedRun, split: LoadedSplit, clips: GatheredClips) -> ClipData:
    """Return the training batches with the frames that the seed draws."""
    return split.data(clips, None if planned.options.fixed_frames else planned.options.seed)


def train_label(
    planned: PlannedRun,
    label: Label,
    make_method: Callable[[], Method],
    split: LoadedSplit,
    text: TextBank,
    target: Sequence[ValidationSet],
    session: TrainSession,
) -> None:
    """Train or resume a head and write its ``summary.json``.

    The summary marks the head as finished.

    Args:
        planned: the run.
        label: 'noun' or 'verb'.
        make_method: makes the method with its initial weights, the same at every call.
        split: what is trained on.
        text: the classes.
        target: labelled clips of another split, if an epoch is chosen by them.
        session: device, limits, progress.

    Raises:
        Interrupted: the training was stopped; the state is saved.
        InputError: no usable clip, or a loss that is not finite.
    """
    policy, recipe, seed = planned.options.policy, planned.settings.recipe, planned.options.seed
    complete = len(usable_clips(split.clips, split.streams, label).rows)
    official = int(np.count_nonzero(split.clips.labels[label] >= 0))
    if not complete:
        raise InputError(f"{label}: none of {official} labelled training clips has all its vectors; see xmic status.")
    if complete < official:
        session.progress.note(f"{label}: training on {complete} of {official} labelled clips; the others lack frames")
    require_width(split.streams, text.vectors.shape[1])
    summary: dict[str, Any] = {"labelled": official, "classes": len(text.names)}
    watched = list(target)
    usable, held_out = training_clips(planned, label, split)
    if held_out is not None:
        summary["held_out"] = len(held_out.rows)
        watched.append(ValidationSet("source_val", split.data(held_out, None), text))
    summary["clips"] = len(usable.rows)
    data = training_data(planned, split, usable)

    def train(method: Method, recipe: Recipe, key: str, folder: Path) -> TrainOutcome:
        part = label if folder == planned.folder / label else f"{label}/{folder.name}"
        return train_head(
            method,
            data,
            text,
            recipe,
            seed,
            folder,
            label=label,
            key=key,
            precision=planned.options.precision,
            watched=watched,
            chosen_by=policy.chosen_by,
            **{**vars(session), "log": partial(session.log, part)},
        )

    folder, method = planned.folder / label, make_method()
    if method.trains:
        for warning in too_few_clips(len(usable.rows), len(text.names)):
            session.progress.note(f"{label}: warning: {warning}")
        for warning in before_training(recipe, -(-len(usable.rows) // recipe.batch), policy.recipe):
            session.progress.note(f"{label}: {warning}")
    key = digest_json([planned.key, label])
    summary["parameters"] = trained_count(method)
    if policy.recipe == "matched":
        identity = {"key": key, "label": label, "method": method.name}
        trained = train_matched(make_method, train, recipe, folder, identity, session.progress)
        outcome, summary["lr"], summary["trials"] = trained
    else:
        outcome = train(method, recipe, key, folder)
    if outcome.final:
        summary["selected_epoch"] = outcome.final["epoch"]
        warnings = after_training(outcome.final, summary["classes"])
        for warning in warnings:
            session.progress.note(f"{label}: {warning}")
        if warnings:
            summary["warnings"] = warnings
    write_summary(folder, summary)
