"""Make the training steps of a head, without waiting for the device.

The CPU only queues the work of a step. Losses stay on the device and are read together, every :data:`READ_STEPS` steps.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.engine.memory import keep_memory
from pipelines.methods.base import ClipBatch, Method, TextBank
from pipelines.methods.blocks import send
from pipelines.methods.recipe import Recipe
from pipelines.train.checkpoint import trained_tensors
from pipelines.train.data import TrainData
from pipelines.train.optim import learning_rate, make_optimiser
from pipelines.train.options import TrainPrecision
from pipelines.train.processes import ALONE, Processes
from pipelines.train.threads import threads_for

READ_STEPS = 50
"""Steps after which their losses are read."""

READ_SECONDS = 10.0
"""Seconds after which the losses are read earlier: where a step takes long, a loss that is not finite costs few."""


@dataclass(frozen=True)
class StepResult:
    """Loss and correct clips of a step.

    Attributes:
        epoch: of the step, from 0.
        step: its number in the epoch, from 0.
        loss: mean cross-entropy over the clips.
        correct: number of the clips that were classified correctly.
        clips: number of clips.
    """

    epoch: int
    step: int
    loss: float
    correct: int
    clips: int


class Steps:
    """Training steps of one head, in any order.

    Args:
        method: on the device; trained in place.
        data: the clips.
        labels: int64, the class of each clip.
        text: the classes, on the device.
        recipe: optimiser, learning rates and batch size.
        seed: of the order of the clips.
        device: where the steps are made.
        precision: ``bf16`` runs the method under autocast. Its classifier and the loss stay in float32.
        processes: the processes that share each batch.

    Attributes:
        optimiser: of the trained tensors.
        per_epoch: number of steps in an epoch.
    """

    def __init__(
        self,
        method: Method,
        data: TrainData,
        labels: np.ndarray,
        text: TextBank,
        recipe: Recipe,
        seed: int,
        device: torch.device,
        precision: TrainPrecision = "fp32",
        processes: Processes = ALONE,
    ) -> None:
        keep_memory()
        self.optimiser = make_optimiser(recipe, trained_tensors(method).values())
        self.per_epoch = -(-len(labels) // recipe.batch)
        self._method, self._data, self._labels, self._text = method, data, labels, text
        self._recipe, self._seed, self._device, self._precision = recipe, seed, device, precision
        self._processes = processes
        self._logits: Callable[[ClipBatch, TextBank, Tensor], Tensor] = method.training_logits
        self._order: tuple[int, np.ndarray] = (-1, np.empty(0, np.int64))
        self._unread: list[tuple[int, int, Tensor, Tensor, int, int]] = []
        self._read_at = time.monotonic()

    def share(self) -> None:
        """Begin to share the batches with the other processes.

        All get the weights that the method of the first has now. Alone, nothing happens.
        """
        self._logits = self._processes.sharing(self._method)

    def rate(self, epoch: int) -> float:
        """Compute the learning rate of an epoch."""
        return learning_rate(self._recipe, epoch)

    def clips_of(self, epoch: int, step: int) -> np.ndarray:
        """Return the indices of a step's clips."""
        if self._order[0] != epoch:
            self._order = epoch, epoch_order(self._seed, epoch, len(self._labels))
        return self._order[1][step * self._recipe.batch : (step + 1) * self._recipe.batch]

    def make(self, epoch: int, step: int) -> None:
        """Make a step: forward, loss, backward, optimiser.

        The CPU waits for nothing on the device.
        """
        together = self.clips_of(epoch, step)
        indices, weight = self._processes.part(together)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate(epoch)
        logits, target = self._forward(indices, epoch)
        loss = F.cross_entropy(logits, target)
        self.optimiser.zero_grad(set_to_none=True)
        (loss if weight is None else loss * weight).backward()
        self.optimiser.step()
        own = 0 if weight == 0 else len(indices)
        correct = (logits.detach().argmax(1) == target).sum()
        self._unread.append((epoch, step, loss.detach(), correct, own, len(together)))

    def threads(self) -> int:
        """Choose the number of the CPU's threads for these steps.

        On another device it is the number that PyTorch has now.
        """
        now = torch.get_num_threads()
        if self._device.type != "cpu" or self._processes.size > 1:
            return now
        return threads_for(lambda: self._forward(self.clips_of(0, 0), 0), now)

    def _forward(self, indices: np.ndarray, epoch: int) -> tuple[Tensor, Tensor]:
        batch = self._data.batch(indices, epoch).to(self._device)
        target = send(torch.from_numpy(self._labels[indices]), self._device)
        with autocast(self._device, self._precision):
            return self._logits(batch, self._text, target).float(), target

    def due(self) -> bool:
        """Return True if it is time to read the losses."""
        return len(self._unread) >= READ_STEPS or time.monotonic() - self._read_at >= READ_SECONDS

    def read(self) -> list[StepResult]:
        """Read the results of the steps since the last call.

        The CPU waits for them. Of several processes the first gets those of all. The others must read after the same
        steps.
        """
        unread, self._unread = self._unread, []
        losses = torch.stack([made[2] for made in unread]).tolist() if unread else []
        correct = torch.stack([made[3] for made in unread]).tolist() if unread else []
        self._read_at = time.monotonic()
        if self._processes.size > 1:
            counts = np.array([made[4] for made in unread], np.float64)
            # What a process with no clip of its own computed counts for nothing, even if it is not finite.
            sums = np.where(counts > 0, np.array(losses) * counts, 0.0)
            hits = np.where(counts > 0, np.array(correct, np.float64), 0.0)
            summed, hit = self._processes.summed(np.stack([sums, hits]))
            losses = (summed / np.array([made[5] for made in unread])).tolist()
            correct = [int(count) for count in hit]
        return [
            StepResult(epoch, step, loss, hits, clips)
            for (epoch, step, _, _, _, clips), loss, hits in zip(unread, losses, correct, strict=True)
        ]


def epoch_order(seed: int, epoch: int, clips: int) -> np.ndarray:
    """Draw the order of the clips in an epoch.

    It depends on seed, epoch and number of clips only.

    Returns:
        A permutation of the clips' indices, int64 [clips].
    """
    return np.random.default_rng([seed, epoch]).permutation(clips)


def autocast(device: torch.device, precision: TrainPrecision) -> torch.autocast:
    """Return the context in which a method runs in a precision.

    The device type must have bfloat16 where the precision is ``bf16``.
    """
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")
