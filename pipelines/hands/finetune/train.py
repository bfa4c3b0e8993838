"""Train a hand model from labelled pictures.

One loop trains the packaged model and a user's.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Subset

from data_manifests.errors import InputError
from pipelines.engine.digest import digest_json
from pipelines.engine.progress import Progress
from pipelines.engine.training_state import read_state, write_state
from pipelines.hands.finetune.batches import Batches, Restyle, Stage
from pipelines.hands.finetune.network import loss_of, make_network, weight_groups
from pipelines.hands.finetune.pictures import Pictures
from pipelines.hands.model_file import write_model
from pipelines.hands.yolo_checkpoint import Checkpoint

STATE, LOG = "state.pt", "log.jsonl"
_CHECKPOINT_S = 120.0
_LOG_STEPS = 20


@dataclass(frozen=True)
class Training:
    """Everything that decides the weights, except the pictures.

    Attributes:
        budget: number of pictures seen, repeats included.
        stages: input sizes and mosaics, one after the other.
        seed: seed of weights and batches.
        batch: pictures per step.
        lr: the largest learning rate; it rises at first and falls to a hundredth as a cosine.
        warmup: length of the rise, a share of the training.
        decay: AdamW's weight decay.
        average: the running average of the weights keeps this share of itself at each step.
    """

    budget: int
    stages: tuple[Stage, ...]
    seed: int = 0
    batch: int = 32
    lr: float = 2e-3
    warmup: float = 0.06
    decay: float = 0.02
    average: float = 0.998

    @property
    def steps(self) -> int:
        """Number of steps, at least 1."""
        return max(1, self.budget // self.batch)


def train_model(
    work: Path,
    pictures: Pictures,
    training: Training,
    architecture: Mapping[str, Any],
    start: Checkpoint | None,
    file: Path,
    progress: Progress,
    trained_on: Mapping[str, Any],
    restyle: Restyle | None = None,
) -> dict[str, Any]:
    """Train a hand model and write its files.

    After a stop, the same call continues from its last checkpoint, at most two minutes old. The last checkpoint is kept
    with the finished model. From it the same training is known to be done, and one with other pictures is refused.

    Args:
        work: folder of the checkpoint and of ``log.jsonl``.
        pictures: the labelled pictures.
        training: sizes, length, batch and learning rate.
        architecture: architecture of the network, as in an Ultralytics YAML.
        start: weights to start from; those of other shapes, as with other classes, start at random. With None, all do.
        file: the finished model (.safetensors).
        progress: notified of each step.
        trained_on: description of the pictures, kept with the model.
        restyle: redraws some inputs in another style, where a stage asks for it.

    Returns:
        'file', 'sha256', 'pictures', 'parameters', 'loss' (mean of the last 20 steps), 'skipped' (steps whose
        gradients were not finite), 'already_done' (the training was finished before, nothing was trained) and
        'seconds' of this call.

    Raises:
        InputError: the checkpoint is of another training: other settings, pictures, classes or boxes.
    """
    began = time.monotonic()
    run = _Run(work, pictures, training, architecture, start, dict(trained_on))
    already_done = run.done >= training.steps
    progress.start("train", training.steps, "steps", run.done)
    with _no_threads_of_opencv():
        for stage in training.stages:
            last = round(stage.until * training.steps)
            if run.done < last:
                batches = Batches(pictures, training.seed, training.batch, stage, restyle)
                wanted = Subset(batches, range(run.done, last))
                for batch in DataLoader(wanted, batch_size=None, num_workers=1, prefetch_factor=4):
                    run.step(batch)
                    progress.advance()
                    progress.state(f"loss {run.recent:.2f} at {stage.image_size} px")
                run.save()
    progress.finish()
    made = {**trained_on, "pictures_digest": pictures.digest}
    made |= {"training": _plain(training), "loss": round(run.recent, 4)}
    size = training.stages[-1].image_size
    sha256 = write_model(file, architecture, pictures.names, run.average.state_dict(), size, made)
    return {
        "file": str(file),
        "sha256": sha256,
        "pictures": training.steps * training.batch,
        "parameters": sum(weight.numel() for weight in run.network.parameters()),
        "loss": run.recent,
        "skipped": run.skipped,
        "already_done": already_done,
        "seconds": round(time.monotonic() - began, 1),
    }


@contextmanager
def _no_threads_of_opencv() -> Iterator[None]:
    """End OpenCV's threads, which do not live on in the loader's forked process: it would wait for them forever."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


class _Run:
    """State of a training: weights, their average, optimiser and counts."""

    def __init__(
        self,
        work: Path,
        pictures: Pictures,
        training: Training,
        architecture: Mapping[str, Any],
        start: Checkpoint | None,
        trained_on: dict[str, Any],
    ) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self._work, self._training = work, training
        self._identity = digest_json(
            [_plain(training), dict(architecture), list(pictures.names), pictures.digest, trained_on]
        )
        self.network = make_network(architecture, len(pictures.names), training.seed)
        if start is not None:
            self._take(start)
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self._optimiser = torch.optim.AdamW(weight_groups(self.network, training.decay), lr=training.lr)
        self.done = self.skipped = 0
        self._losses: list[float] = []
        self._saved = time.monotonic()
        if (work / STATE).is_file():
            self._resume()

    @property
    def recent(self) -> float:
        """Mean loss of the last steps."""
        return sum(self._losses) / len(self._losses) if self._losses else math.nan

    def step(self, batch: Any) -> None:
        """Take one step, and write a checkpoint when the last is two minutes old."""
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate(self._training, self.done)
        loss = loss_of(self.network, batch)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        # A batch without contrast, as of black pictures, can have gradients that are not finite.
        if torch.isfinite(torch.nn.utils.clip_grad_norm_(self.network.parameters(), 10.0)):
            self._optimiser.step()
            self._losses = [*self._losses[-_LOG_STEPS + 1 :], loss.item()]
        else:
            self.skipped += 1
        self.done += 1
        # Early weights are forgotten soon.
        keep = min(self._training.average, self.done / (self.done + 10))
        with torch.no_grad():
            for mean, value in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
                if mean.is_floating_point():
                    mean.lerp_(value, 1 - keep)
                else:
                    mean.copy_(value)
        if self.done % _LOG_STEPS == 0:
            with (self._work / LOG).open("a", encoding="utf-8") as log:
                log.write(json.dumps({"step": self.done, "loss": round(self.recent, 4)}) + "\n")
        if time.monotonic() - self._saved > _CHECKPOINT_S:
            self.save()

    def save(self) -> None:
        """Write the checkpoint."""
        state = {
            "identity": self._identity,
            "done": self.done,
            "skipped": self.skipped,
            "losses": self._losses,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self._optimiser.state_dict(),
        }
        write_state(self._work / STATE, state)
        self._saved = time.monotonic()

    def _resume(self) -> None:
        file = self._work / STATE
        state = read_state(file)
        if state["identity"] != self._identity:
            raise InputError(
                f"{file}: the checkpoint of a training with other settings, pictures or boxes. Name another folder, "
                "or remove the file."
            )
        self.done, self.skipped, self._losses = int(state["done"]), int(state["skipped"]), list(state["losses"])
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self._optimiser.load_state_dict(state["optimiser"])

    def _take(self, start: Checkpoint) -> None:
        own = self.network.state_dict()
        fitting = {name: value.float() for name, value in start.state.items() if name in own}
        self.network.load_state_dict(
            {name: value for name, value in fitting.items() if value.shape == own[name].shape}, strict=False
        )


def learning_rate(training: Training, step: int) -> float:
    """Return the learning rate of a step.

    It rises linearly to ``lr`` and then falls as a cosine to a hundredth of it.
    """
    rising = max(1, round(training.warmup * training.steps))
    if step < rising:
        return training.lr * (step + 1) / rising
    done = (step - rising) / max(1, training.steps - rising)
    return training.lr * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))


def _plain(training: Training) -> dict[str, Any]:
    """Convert the settings to what YAML and JSON hold."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(training)))
    return plain
