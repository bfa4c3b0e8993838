"""Train one head: run epochs, save the state, resume after a stop."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F

from data_manifests.errors import InputError, Interrupted, UsageError
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
from pipelines.train.optim import Diverged, learning_rate, make_optimiser
from pipelines.train.selection import ValidationSet, best_epoch, require_clips

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
    label: str,
    key: str,
    precision: Literal["fp32", "bf16"] = "fp32",
    watched: Sequence[ValidationSet] = (),
    chosen_by: str | None = None,
    checkpoint_minutes: float | None = None,
    deadline: float | None = None,
    stop: Callable[[], str | None] = lambda: None,
    log: Callable[[Sequence[str]], None] = lambda lines: None,
    progress: Progress | None = None,
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
        precision: ``bf16`` runs the method under autocast.
        watched: clips that are not trained on, scored after every epoch.
        chosen_by: the accuracy of ``metrics.jsonl`` by which an epoch is kept, see
            :func:`pipelines.train.selection.best_epoch`; None keeps the last epoch.
        checkpoint_minutes: minutes between saves within an epoch; None = save only between epochs.
        deadline: a value of ``time.monotonic()`` after which no further step is made.
        stop: called before every step; if it returns a text, the reason, the training stops there.
        log: receives all lines of ``metrics.jsonl`` so far, at the start and after each epoch.
        progress: receives steps, epochs and warnings.

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
    labels = _checked_labels(data, text)
    parameters = trained_tensors(method)
    if not parameters:
        progress.note(f"{method.name} has nothing to train")
        write_weights(weights, {}, identity)
        return TrainOutcome(weights)
    for one in watched:
        require_clips(one.name, one.data, len(one.text.names))
    text = text.to(device)
    optimiser = make_optimiser(recipe, parameters.values())
    checkpoint = Checkpoint(folder, identity, method, optimiser, device)
    steps = -(-len(labels) // recipe.batch)

    with _own_randomness(seed, device), no_tf32():
        restored = checkpoint.restore(progress)
        place = restored or TrainProgress()
        resumed_at = (place.epoch, place.step) if restored else None
        _write_lines(folder, place.lines)
        log(place.lines)
        progress.start(f"train {label}", recipe.epochs * steps, "steps", place.epoch * steps + place.step)
        saved = time.monotonic()
        while place.epoch < recipe.epochs:
            epoch = place.epoch
            rate = learning_rate(recipe, epoch)
            for group in optimiser.param_groups:
                group["lr"] = rate
            where = f"training of {label}, epoch {epoch + 1} of {recipe.epochs}"
            order = epoch_order(seed, epoch, len(labels))
            method.train()
            while place.step < steps:
                reason = why_to_end(deadline, stop)
                if reason:
                    checkpoint.save(place)
                    raise Interrupted(
                        f"{where}: stopped ({reason}) after {place.step} of {steps} steps. The state is in "
                        f"{folder / STATE}; the same command goes on from there."
                    )
                if checkpoint_minutes is not None and time.monotonic() - saved >= 60 * checkpoint_minutes:
                    checkpoint.save(place)
                    saved = time.monotonic()
                indices = order[place.step * recipe.batch : (place.step + 1) * recipe.batch]
                batch = data.batch(indices, epoch).to(device)
                target = torch.from_numpy(labels[indices]).to(device)
                with _autocast(device, precision):
                    logits = method.training_logits(batch, text, target).float()
                loss = F.cross_entropy(logits, target)
                value = loss.item()
                if not np.isfinite(value):
                    at = f"{where}, step {place.step + 1} of {steps}: the loss is {value}."
                    raise _not_finite(at, method, batch, text, indices, rate)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                place.step += 1
                place.loss_sum += value * len(indices)
                place.correct += int((logits.argmax(1) == target).sum().item())
                place.clips += len(indices)
                progress.advance()
            # The same clips in every epoch, so that the epochs can be compared.
            same = data.batch(np.arange(min(recipe.batch, len(labels))), epoch).to(device)
            method.eval()
            with torch.no_grad(), _autocast(device, precision):
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


def epoch_order(seed: int, epoch: int, clips: int) -> np.ndarray:
    """Draw the order of the clips in an epoch.

    It depends on seed, epoch and number of clips only.

    Returns:
        A permutation of the clips' indices, int64 [clips].
    """
    return np.random.default_rng([seed, epoch]).permutation(clips)


def _write_lines(folder: Path, lines: list[str]) -> None:
    with replace_atomically(folder / METRICS) as temporary:
        temporary.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def _kept_line(folder: Path, chosen_by: str | None) -> dict[str, Any]:
    path = folder / METRICS
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    line: dict[str, Any] = json.loads(lines[best_epoch(lines, chosen_by)]) if lines else {}
    return line


def _autocast(device: torch.device, precision: str) -> torch.autocast:
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


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


def _checked_labels(data: TrainData, text: TextBank) -> np.ndarray:
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
