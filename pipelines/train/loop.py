"""Train one head: run epochs, save the state, resume after a stop."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data_manifests.errors import InputError, Interrupted, UsageError
from data_manifests.schema import Label
from pipelines.engine.atomic import replace_atomically
from pipelines.engine.progress import Progress, Silent
from pipelines.methods.base import ClipBatch, Method, TextBank
from pipelines.methods.blocks import no_tf32
from pipelines.methods.recipe import Recipe
from pipelines.train.checkpoint import (
    STATE,
    Checkpoint,
    TrainProgress,
    is_finished,
    load_weights,
    saved_tensors,
    trained_tensors,
    write_weights,
)
from pipelines.train.data import TrainData
from pipelines.train.finished import WEIGHTS
from pipelines.train.follow import leading
from pipelines.train.optim import Diverged
from pipelines.train.options import TrainPrecision
from pipelines.train.processes import ALONE, Processes
from pipelines.train.selection import ValidationSet, best_epoch, require_clips
from pipelines.train.steps import Steps

METRICS = "metrics.jsonl"


@dataclass(frozen=True)
class TrainOutcome:
    """Result of a call of :func:`train_head`.

    Attributes:
        weights: the file with the final weights; the method carries them too.
        final: the line of ``metrics.jsonl`` of the epoch whose weights are kept. It is the same whether the training
            was stopped or not.
        already_done: True if the head was finished before and nothing was trained.
        resumed_at: epoch and step, both from 0, at which the training resumed; None if it began from the start.
    """

    weights: Path
    final: dict[str, Any] = field(default_factory=dict)
    already_done: bool = False
    resumed_at: tuple[int, int] | None = None


def train_head(
    method: Method,
    data: TrainData,
    text: TextBank,
    recipe: Recipe,
    seed: int,
    folder: Path,
    device: torch.device,
    *,
    label: Label,
    key: str,
    precision: TrainPrecision = "fp32",
    watched: Sequence[ValidationSet] = (),
    chosen_by: str | None = None,
    checkpoint_minutes: float | None = None,
    deadline: float | None = None,
    stop: Callable[[], str | None] = lambda: None,
    log: Callable[[Sequence[str]], None] = lambda lines: None,
    progress: Progress | None = None,
    processes: Processes = ALONE,
) -> TrainOutcome:
    """Train a method on labelled clips, or resume a stopped training.

    The loss is the cross-entropy, averaged over the batch. The state is saved after every epoch, every
    ``checkpoint_minutes`` and when the training is stopped.

    On a CPU, with the same library versions and threads, a resumed training writes the same bytes as an uninterrupted
    one. On CUDA some gradients (of attention) are sums in no fixed order, so even two uninterrupted trainings differ.

    ``folder`` receives three files:

    - ``weights.safetensors``: trained tensors and those of ``method.random_buffers()``; method, label and key in its
      metadata.
    - ``metrics.jsonl``: one line per epoch with epoch (from 1), loss, train_accuracy in percent, learning_rate, the
      method's statistics, loss and accuracy on the watched clips, and clips.
    - ``state.pt``: the state, until the head is finished.

    Args:
        method: with its initial weights; trained in place.
        data: the clips.
        text: the classes.
        recipe: optimiser, learning rates, epochs and batch size.
        seed: of the order of the clips and of whatever the method draws; 0 or more.
        folder: the head's folder.
        device: where to train.
        label: 'noun' or 'verb'.
        key: identifies the training; a state or a head of another key is refused.
        precision: ``bf16`` runs the method under autocast, with its classifier and the loss in float32. ``fp32``
            computes without TF32.
        watched: clips that are not trained on, scored after every epoch.
        chosen_by: the accuracy of ``metrics.jsonl`` by which an epoch is kept, see
            :func:`pipelines.train.selection.best_epoch`; None keeps the last epoch.
        checkpoint_minutes: minutes between saves within an epoch; None = save only between epochs.
        deadline: a value of ``time.monotonic()`` after which no further step is made.
        stop: called before every step; if it returns a text, the reason, the training stops there.
        log: receives all lines of ``metrics.jsonl`` so far, at the start and after each epoch.
        progress: receives steps, epochs and warnings.
        processes: processes that make each step together; this one leads. The others call
            :func:`pipelines.train.follow.follow_head`.

    Raises:
        Interrupted: stopped by ``stop`` or the deadline; the state is saved.
        Diverged: a loss that is not finite though the vectors are.
        InputError: no clips, labels outside the classes, a loss that is not finite, or another training's files in
            ``folder``.
        UsageError: unknown precision.
    """
    progress = progress or Silent()
    if precision not in ("fp32", "bf16"):
        raise UsageError(f"--precision {precision}: expected fp32 or bf16.")
    identity = {"key": key, "label": label, "method": method.name}
    weights = folder / WEIGHTS
    method.to(device)
    if is_finished(weights, identity, progress):
        load_weights(method, weights)
        (folder / STATE).unlink(missing_ok=True)
        return TrainOutcome(weights, _kept_line(folder, chosen_by), already_done=True)
    labels = checked_labels(data, text)
    if not trained_tensors(method):
        progress.note(f"{method.name} has nothing to train")
        write_weights(weights, {}, identity)
        return TrainOutcome(weights)
    for one in watched:
        require_clips(one.name, one.data, len(one.text.names))
    text = text.to(device)
    steps = Steps(method, data, labels, text, recipe, seed, device, precision, processes)
    checkpoint = Checkpoint(folder, identity, method, steps.optimiser, device)

    with _own_randomness(seed, device), no_tf32(), ExitStack() as stack:
        method.train()
        torch.set_num_threads(steps.threads())
        restored = checkpoint.restore(progress)
        place = restored or TrainProgress()
        resumed_at = (place.epoch, place.step) if restored else None
        _write_lines(folder, place.lines)
        log(place.lines)
        total = recipe.epochs * steps.per_epoch
        progress.start(f"train {label}", total, "steps", place.epoch * steps.per_epoch + place.step)
        saved = time.monotonic()
        stack.enter_context(leading(processes, steps, label, recipe))
        while place.epoch < recipe.epochs:
            epoch, rate = place.epoch, steps.rate(place.epoch)
            where = f"training of {label}, epoch {epoch + 1} of {recipe.epochs}"
            method.train()
            while place.step < steps.per_epoch:
                reason = why_to_end(deadline, stop)
                late = checkpoint_minutes is not None and time.monotonic() - saved >= 60 * checkpoint_minutes
                if reason or late or steps.due():
                    _settle(steps, place, processes, where, method, data, text)
                if reason or late:
                    checkpoint.save(place)
                    saved = time.monotonic()
                if reason:
                    raise Interrupted(
                        f"{where}: stopped ({reason}) after {place.step} of {steps.per_epoch} steps. The state is in "
                        f"{folder / STATE}; the same command goes on from there."
                    )
                processes.tell("step", epoch, place.step)
                steps.make(epoch, place.step)
                place.step += 1
                progress.advance()
            _settle(steps, place, processes, where, method, data, text)
            # The same clips in every epoch, so that the epochs can be compared.
            same = data.batch(np.arange(min(recipe.batch, len(labels))), epoch).to(device)
            method.eval()
            with torch.no_grad():
                statistics = method.statistics(same, text)
            line = {
                "epoch": epoch + 1,
                "loss": place.loss_sum / place.clips,
                "train_accuracy": 100 * place.correct / place.clips,
                "learning_rate": rate,
                **statistics,
            }
            for one in watched:
                line |= one.measure(method, device, where)
            line["clips"] = place.clips
            said = [f"{name.replace('_', ' ')} {line[name]:.2f} %" for name in line if name.endswith("accuracy")]
            progress.state(
                f"epoch {epoch + 1} of {recipe.epochs}: loss {line['loss']:.4f}, {', '.join(said)}, "
                f"learning rate {rate:g}"
            )
            lines, kept = [*place.lines, json.dumps(line)], place.kept
            if chosen_by and best_epoch(lines, chosen_by) == epoch:
                kept = {name: tensor.detach().cpu().clone() for name, tensor in saved_tensors(method).items()}
            place = TrainProgress(epoch + 1, lines=lines, kept=kept)
            _write_lines(folder, place.lines)
            log(place.lines)
            if place.epoch < recipe.epochs:
                checkpoint.save(place)
                saved = time.monotonic()
        write_weights(weights, place.kept or saved_tensors(method), identity)
        load_weights(method, weights)
        (folder / STATE).unlink(missing_ok=True)
        progress.finish()
    return TrainOutcome(weights, _kept_line(folder, chosen_by), resumed_at=resumed_at)


def why_to_end(deadline: float | None, stop: Callable[[], str | None]) -> str | None:
    """Return the reason to stop the training, or None to continue.

    Args:
        deadline: see :func:`train_head`.
        stop: see :func:`train_head`.
    """
    return "time limit" if deadline is not None and time.monotonic() >= deadline else stop()


def _write_lines(folder: Path, lines: list[str]) -> None:
    with replace_atomically(folder / METRICS) as temporary:
        temporary.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def _kept_line(folder: Path, chosen_by: str | None) -> dict[str, Any]:
    path = folder / METRICS
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    line: dict[str, Any] = json.loads(lines[best_epoch(lines, chosen_by)]) if lines else {}
    return line


def _settle(
    steps: Steps,
    place: TrainProgress,
    processes: Processes,
    where: str,
    method: Method,
    data: TrainData,
    text: TextBank,
) -> None:
    """Add the results of the steps made so far to an epoch's sums.

    Raises:
        InputError: a loss is not finite.
    """
    processes.tell("read")
    for made in steps.read():
        if not math.isfinite(made.loss):
            at = f"{where}, step {made.step + 1} of {steps.per_epoch}: the loss is {made.loss}."
            indices = steps.clips_of(made.epoch, made.step)
            batch = data.batch(indices, made.epoch)
            raise _not_finite(at, method, batch, text, indices, steps.rate(made.epoch))
        place.loss_sum += made.loss * made.clips
        place.correct += made.correct
        place.clips += made.clips


@contextmanager
def _own_randomness(seed: int, device: torch.device) -> Iterator[None]:
    """Give the training its own random generators and thread count, and restore them afterwards."""
    threads = torch.get_num_threads()
    cuda = [torch.cuda.current_device() if device.index is None else device.index] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(seed)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def checked_labels(data: TrainData, text: TextBank) -> np.ndarray:
    """Return the labels of clips to train on, int64.

    Raises:
        InputError: there are none, or one is outside the classes.
    """
    labels = np.asarray(data.labels, np.int64)
    classes = len(text.vectors)
    if len(labels) == 0 or len(labels) != len(data):
        raise InputError(
            f"{len(data)} clips and {len(labels)} labels to train on: expected as many of both, one or more. "
            "Check that the split is embedded and that its clips carry this label."
        )
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(outside):
        raise InputError(
            f"training clip {outside[0]} has label {labels[outside[0]]}, but there are {classes} classes "
            f"(0 to {classes - 1}). The text is of another label set: run the same xmic prepare and xmic embed."
        )
    return labels


def _not_finite(
    at: str, method: Method, batch: ClipBatch, text: TextBank, indices: np.ndarray, rate: float
) -> InputError:
    """Make the error of a loss that is not finite, with its likely cause and what to do."""
    for stream in ("frames", "hand", "full"):
        vectors = getattr(batch, stream)
        bad = [] if vectors is None else indices[(~vectors.isfinite()).flatten(1).any(1).cpu().numpy()]
        if len(bad):
            return InputError(
                f"{at} The {stream} vectors of training clip {bad[0]} are not finite: "
                "run xmic status --verify, then the same xmic embed."
            )
    bad_text = torch.nonzero(~text.vectors.isfinite().all(1)).flatten()
    if len(bad_text):
        name = text.names[int(bad_text[0])]
        return InputError(f"{at} The text vector of class {name!r} is not finite: run the same xmic embed again.")
    broken = [name for name, tensor in method.state_dict().items() if not tensor.isfinite().all()]
    what = f"The weights ({broken[0]}) have overflown" if broken else "The logits have overflown"
    why = f"{what}, most likely because the learning rate {rate:g} is too high: try --set lr={rate / 10:g}."
    return Diverged(f"{at} {why}")
