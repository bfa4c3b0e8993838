"""Estimate the cost of a training before it starts.

A few of its own training steps are timed on random vectors.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from data_manifests.schema import Label
from pipelines.engine.clips import read_clips
from pipelines.engine.machine import Machine
from pipelines.engine.workspace import Workspace
from pipelines.methods.base import ClipBatch, Method, TextBank, trained_count
from pipelines.methods.recipe import Recipe
from pipelines.train.backbone import load_towers
from pipelines.train.features import StreamVectors, embedding_folder, vector_width
from pipelines.train.hold_out import hold_out
from pipelines.train.optim import make_optimiser
from pipelines.train.options import TrainPrecision
from pipelines.train.plan import PlannedRun
from pipelines.train.policy import LEARNING_RATES
from pipelines.train.run import load_text, untrained_method
from pipelines.train.steps import autocast
from pipelines.train.warnings import before_training, too_few_clips

_STEPS = 3
_PATIENCE_S = 10.0
"""Seconds after which no further step is timed."""


@dataclass(frozen=True)
class TimedSteps:
    """Time and memory of a few training steps.

    Attributes:
        seconds: of each counted step; the first step is not counted unless it was slow.
        kept: bytes that the forward pass keeps for the backward pass, without the method's own parameters.
    """

    seconds: list[float]
    kept: int


@dataclass(frozen=True)
class Estimate:
    """Estimated cost of the training of one head.

    Attributes:
        parameters: number of trained parameters.
        classes: C, number of classes.
        clips: labelled clips without those of held-out recordings. Clips that lack a frame are counted here but are
            not trained on.
        trials: number of learning rates that the recipe tries, each for all epochs.
        steps_per_epoch: at the recipe's batch size.
        steps: of all epochs and trials.
        timed_steps: number of steps that were timed; 0 if there is nothing to train.
        seconds_per_step: the median of their times on this device; None if no step was timed.
        seconds: time of all steps, without reading vectors or pictures and without saving.
        warnings: what this number of steps and the recipe hardly allow.
        bytes: memory of the trained weights, their gradients, the optimiser's averages, one batch, and what the
            forward pass keeps for the backward pass. The frozen towers are not counted.
    """

    parameters: int
    classes: int
    clips: int
    trials: int
    steps_per_epoch: int
    steps: int
    timed_steps: int = 0
    seconds_per_step: float | None = None
    seconds: float | None = None
    bytes: int | None = None
    warnings: tuple[str, ...] = ()


def estimate(workspace: Workspace, planned: PlannedRun, machine: Machine) -> dict[Label, Estimate]:
    """Estimate the training of each head of a run; writes nothing.

    Raises:
        InputError: the encoder cannot classify, or the streams do not fit the method.
    """
    device = torch.device(machine.resolve_device())
    source = planned.config["source"]["dataset"]
    clips = read_clips(workspace, source, planned.frames.split)
    streams = {
        role: _like(workspace, planned, encoder, stream) for role, (encoder, stream) in planned.protocol.needed.items()
    }
    found: dict[Label, Estimate] = {}
    config, options = planned.settings.config, planned.options
    needs = planned.method_class.needed_by(config)
    towers = load_towers(workspace, planned.protocol, needs, machine, options.encoder)
    segments = planned.protocol.segments
    shapes: dict[str, tuple[int, ...]] = {
        role: (1 if planned.protocol.needed[role][1] == "clip" else segments, stream.dim)
        for role, stream in streams.items()
    }
    if towers.visual is not None:
        shapes["pixels"] = (segments, 3, towers.visual.size, towers.visual.size)
    for label in options.labels:
        text = load_text(workspace, source, planned.protocol, label, device)
        method = untrained_method(planned.method_class, config, streams, text.logit_scale, options.seed, towers)
        labelled = clips.labels[label] >= 0
        if options.policy.source_val is not None:
            labelled &= ~hold_out(clips.recordings, options.policy.source_val)
        trials = len(LEARNING_RATES) if options.policy.recipe == "matched" else 1
        count = int(np.count_nonzero(labelled))
        recipe = planned.settings.recipe
        found[label] = _of_head(method, recipe, shapes, text, count, trials, device, options.precision)
    return found


def _like(workspace: Workspace, planned: PlannedRun, encoder: str, stream: str) -> StreamVectors:
    """Make an empty stream as wide as the embedded one."""
    folder = embedding_folder(workspace, planned.frames, encoder, stream)
    plan = planned.frames.plan
    index = np.zeros((0, plan.segments, plan.candidates), np.int32)
    width = vector_width(sorted(folder.glob("part-*.parquet"))[0])
    return StreamVectors(np.zeros((0, width), np.float16), index, None, {}, "")


def _of_head(
    method: Method,
    recipe: Recipe,
    shapes: Mapping[str, tuple[int, ...]],
    text: TextBank,
    clips: int,
    trials: int,
    device: torch.device,
    precision: TrainPrecision,
) -> Estimate:
    parameters, classes = trained_count(method), len(text.names)
    if not parameters or not clips:
        return Estimate(parameters, classes, clips, trials, 0, 0)
    a_epoch = -(-clips // recipe.batch)
    steps = a_epoch * recipe.epochs * trials
    batch = made_up_clips(min(recipe.batch, clips), shapes).to(device)
    timed = time_steps(method, batch, text.to(device), recipe, device, precision=precision)
    pace = float(np.median(timed.seconds))
    averages = 2 if recipe.optimiser == "adamw" else 1
    of_batch = sum(part.nbytes for part in vars(batch).values() if part is not None)
    held = parameters * 4 * (2 + averages) + of_batch + timed.kept
    of_recipe = before_training(recipe, a_epoch, "matched" if trials > 1 else "published")
    warnings = (*too_few_clips(clips, classes), *of_recipe)
    counted = len(timed.seconds)
    return Estimate(parameters, classes, clips, trials, a_epoch, steps, counted, pace, pace * steps, held, warnings)


def made_up_clips(clips: int, shapes: Mapping[str, tuple[int, ...]]) -> ClipBatch:
    """Make a batch of random numbers, the same at every call.

    Args:
        clips: B, clips per batch.
        shapes: role of a :class:`ClipBatch` → shape per clip; the other roles stay empty.
    """
    draw = torch.Generator().manual_seed(0)
    parts = {role: torch.randn(clips, *shape, generator=draw) for role, shape in shapes.items() if role != "pixels"}
    if "pixels" in shapes:
        parts["pixels"] = torch.randint(256, (clips, *shapes["pixels"]), generator=draw, dtype=torch.uint8)
    return ClipBatch(**parts)


def time_steps(
    method: Method,
    batch: ClipBatch,
    text: TextBank,
    recipe: Recipe,
    device: torch.device,
    clock: Callable[[], float] = time.monotonic,
    precision: TrainPrecision = "fp32",
) -> TimedSteps:
    """Time a few training steps on a batch: forward, backward, optimiser.

    The steps change the method's weights.

    Args:
        method: is moved to the device.
        batch: B clips, on the device.
        text: C classes, on the device.
        recipe: names the optimiser.
        device: where the steps run.
        clock: returns seconds; ``time.process_time`` counts processor time alone.
        precision: as for a training.
    """
    size = next(len(part) for part in vars(batch).values() if part is not None)
    target = (torch.arange(size) % len(text.names)).to(device)
    method.to(device).train()
    optimiser = make_optimiser(recipe, (tensor for tensor in method.parameters() if tensor.requires_grad))
    own = {tensor.untyped_storage().data_ptr() for tensor in method.parameters()}
    kept: dict[int, int] = {}

    def remember(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    seconds: list[float] = []
    begun = clock()
    with torch.random.fork_rng(devices=[]):
        for number in range(_STEPS + 1):
            start = clock()
            watching = torch.autograd.graph.saved_tensors_hooks(remember, lambda tensor: tensor)
            with nullcontext() if number else watching:
                with autocast(device, precision):
                    logits = method.training_logits(batch, text, target).float()
                loss = F.cross_entropy(logits, target)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            slow = clock() - begun > _PATIENCE_S
            if number or slow:
                seconds.append(clock() - start)
            if slow:
                break
    return TimedSteps(seconds, sum(kept.values()))
