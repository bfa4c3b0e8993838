"""Lay out accuracy over the epochs of each training as lines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data_manifests.schema import LABELS, Label
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.metrics_file import Metrics
from pipelines.report.axis import axis_end

WIDTH, HEIGHT = 480, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 470, 12, 124
_ENDING = "accuracy"


@dataclass(frozen=True)
class Line:
    """Line of one accuracy over the epochs.

    Attributes:
        name: of the accuracy: 'train', 'source val', …
        points: 'x,y x,y …' in pixels of the drawing.
        dots: the same as pairs; of a single epoch there is a dot and no line.
        last: percent in the last epoch.
    """

    name: str
    points: str
    dots: Sequence[tuple[float, float]]
    last: float


@dataclass(frozen=True)
class TrainingCurve:
    """Accuracies and losses of the training of one head.

    Attributes:
        run: its name.
        label: of the head.
        epochs: how many.
        lines: its accuracies, in percent.
        ticks: (y in pixels, text) of the vertical axis.
        description: the drawing in words.
        losses: loss of the first and of the last epoch.
    """

    run: str
    label: Label
    epochs: int
    lines: Sequence[Line]
    ticks: Sequence[tuple[float, str]]
    description: str
    losses: tuple[float, float]


def training_curves(workspace: Workspace, evaluations: Sequence[Metrics]) -> list[TrainingCurve]:
    """Lay out the training curves of the evaluated runs.

    A head without its ``metrics.jsonl`` in the workspace is left out.
    """
    found = []
    for run in dict.fromkeys(metrics.run.name for metrics in evaluations):
        for label in LABELS:
            file = workspace.run(run) / label / "metrics.jsonl"
            lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
            if lines:
                found.append(training_curve(run, label, [json.loads(line) for line in lines]))
    return found


def training_curve(run: str, label: Label, epochs: Sequence[Mapping[str, Any]]) -> TrainingCurve:
    """Lay out one training.

    Args:
        run: its name.
        label: of the head.
        epochs: the lines of its ``metrics.jsonl``; every number whose name ends in 'accuracy' becomes a line.
    """
    names = [name for name in epochs[0] if name.endswith(_ENDING)]
    end = axis_end(max(float(epoch[name]) for epoch in epochs for name in names))
    lines = []
    for name in names:
        values = [float(epoch[name]) for epoch in epochs]
        dots = [(_x(index, len(values)), _y(value, end)) for index, value in enumerate(values)]
        said = name.removesuffix(_ENDING).strip("_").replace("_", " ") or _ENDING
        lines.append(Line(said, " ".join(f"{x:.1f},{y:.1f}" for x, y in dots), dots, values[-1]))
    ticks = [(_y(end * share, end), f"{end * share:g} %") for share in (0, 0.5, 1)]
    firsts = [float(epochs[0][name]) for name in names]
    words = "; ".join(
        f"{line.name} accuracy {first:.1f} % after epoch 1, {line.last:.1f} % after epoch {len(epochs)}"
        for first, line in zip(firsts, lines, strict=True)
    )
    losses = float(epochs[0]["loss"]), float(epochs[-1]["loss"])
    return TrainingCurve(run, label, len(epochs), lines, ticks, words, losses)


def _x(index: int, count: int) -> float:
    return _LEFT + (_RIGHT - _LEFT) * (index / (count - 1) if count > 1 else 0.5)


def _y(value: float, end: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * value / end
