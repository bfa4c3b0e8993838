"""Train one head in several processes: one leads, the others follow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from data_manifests.schema import Label
from pipelines.methods.base import Method
from pipelines.methods.blocks import no_tf32
from pipelines.methods.recipe import Recipe
from pipelines.train.optim import load_state
from pipelines.train.processes import Processes
from pipelines.train.steps import Steps


@dataclass(frozen=True)
class Assignment:
    """What the leading process has the others train.

    Attributes:
        label: 'noun' or 'verb'.
        recipe: with the learning rate of the trial.
        optimiser: its state at the beginning, on the CPU.
    """

    label: Label
    recipe: Recipe
    optimiser: dict[str, Any]


@contextmanager
def leading(processes: Processes, steps: Steps, label: Label, recipe: Recipe) -> Iterator[None]:
    """Have the other processes follow within the block; alone, do nothing."""
    if processes.size == 1:
        yield
        return
    processes.give(Assignment(label, recipe, _on_cpu(steps.optimiser.state_dict())))
    steps.share()
    try:
        yield
    finally:
        processes.tell("end")


def follow_head(method: Method, steps: Steps, assignment: Assignment, processes: Processes) -> None:
    """Make the steps of a head that the leading process orders.

    Nothing is written. The weights are those of the leading process after every step.
    """
    load_state(steps.optimiser, assignment.optimiser)
    method.train()
    with no_tf32():
        steps.share()
        while True:
            order, epoch, step = processes.hear()
            if order == "end":
                return
            if order == "read":
                steps.read()
            else:
                steps.make(epoch, step)


def _on_cpu(state: dict[str, Any]) -> dict[str, Any]:
    """Return an optimiser's state with its tensors on the CPU, from where they can be sent."""
    averages = {
        number: {name: held.cpu() if isinstance(held, torch.Tensor) else held for name, held in one.items()}
        for number, one in state["state"].items()
    }
    return {**state, "state": averages}
