"""Measure watched clips after each epoch and choose the epoch to keep."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F

from data_manifests.errors import InputError
from pipelines.methods.base import Method, TextBank
from pipelines.train.data import TrainData, in_order
from pipelines.train.optim import Diverged


@dataclass(frozen=True)
class ValidationSet:
    """Labelled clips that are watched but not trained on.

    Attributes:
        name: prefix of their loss and accuracy in ``metrics.jsonl``.
        data: one or more clips, each with a label.
        text: the classes of these labels.
    """

    name: Literal["source_val", "target"]
    data: TrainData
    text: TextBank

    @torch.no_grad()
    def measure(self, method: Method, device: torch.device, where: str) -> dict[str, float]:
        """Compute loss and top-1 accuracy on the clips.

        Args:
            method: in evaluation mode.
            device: the device of the method.
            where: the training and its epoch, for the error.

        Returns:
            ``<name>_loss``, the mean cross-entropy, and ``<name>_accuracy``, top-1 in percent.

        Raises:
            Diverged: the loss is not finite.
        """
        text = self.text.to(device)
        loss, correct = 0.0, 0
        for indices, batch in in_order(self.data):
            target = torch.from_numpy(np.asarray(self.data.labels)[indices]).to(device)
            logits = method(batch.to(device), text).float()
            loss += F.cross_entropy(logits, target, reduction="sum").item()
            correct += int((logits.argmax(1) == target).sum().item())
        clips = len(self.data)
        if not math.isfinite(loss):
            raise Diverged(f"{where}: the loss on the {self.name} clips is {loss}; the learning rate is too high.")
        return {f"{self.name}_loss": loss / clips, f"{self.name}_accuracy": 100 * correct / clips}


def require_clips(name: str, data: TrainData, classes: int) -> None:
    """Check clips before they are watched.

    Raises:
        InputError: there are none, or a label is outside the classes.
    """
    if not len(data):
        raise InputError(
            f"{name}: none of its clips carries this label and has all its vectors; see xmic status. "
            "Hold out more, or name another target."
        )
    labels = np.asarray(data.labels)
    if labels.min() < 0 or labels.max() >= classes:
        raise InputError(f"{name}: labels from {labels.min()} to {labels.max()}, but there are {classes} classes.")


def best_epoch(lines: Sequence[str], chosen_by: str | None) -> int:
    """Choose the epoch to keep by the lines of ``metrics.jsonl``.

    Args:
        lines: one JSON object per epoch, one or more.
        chosen_by: the name of an accuracy. The epoch with the highest value is kept; ties go to the lowest loss on the
            same clips, then to the earliest epoch. None = the last epoch.

    Returns:
        The index of its line, from 0.
    """
    if chosen_by is None:
        return len(lines) - 1
    found = [json.loads(line) for line in lines]
    loss = chosen_by.removesuffix("accuracy") + "loss"
    return max(range(len(found)), key=lambda i: (found[i][chosen_by], -found[i][loss], -i))
