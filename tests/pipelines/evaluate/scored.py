"""Evaluate a run on the CPU, as plain values."""

from __future__ import annotations

from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.evaluate.run import evaluate


def score(workspace, run, targets, **options):
    """What ``xmic evaluate --json`` prints of each target."""
    return [item.as_dict() for item in evaluate(workspace, run, targets, Machine(device="cpu"), Silent(), **options)]
