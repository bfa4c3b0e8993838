"""Lay out accuracy and loss of each training as lines."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data_manifests.schema import LABELS, Label
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.metrics_file import Metrics
from pipelines.report.axis import axis_end
from pipelines.report.collect import method_name
from pipelines.train.finished import read_log

WIDTH, HEIGHT = 360, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 322, 12, 156
_ACCURACY, _LOSS = "accuracy", "loss"
_NAMES = {"train": "training", "source val": "held out", "target": "target (leaks)"}


@dataclass(frozen=True)
class Line:
    """Line of one accuracy or loss over the epochs.

    Attributes:
        name: of the clips: 'training', 'held out', …
        kind: 'train' for the clips that are learned from, else 'held'.
        points: 'x,y x,y …' in pixels of the drawing.
        dots: the same as pairs; of a single epoch there is a dot and no line.
        first: value in the first epoch.
        last: value in the last epoch.
    """

    name: str
    kind: str
    points: str
    dots: Sequence[tuple[float, float]]
    first: float
    last: float


@dataclass(frozen=True)
class Held:
    """Accuracy on test clips, at the epoch that was kept."""

    x: float
    y: float
    words: str


@dataclass(frozen=True)
class TrainingCurve:
    """Accuracies and losses of the training of one head.

    Attributes:
        run: its name.
        method: method and preset.
        source: dataset that was trained on.
        label: of the head.
        epochs: how many.
        lines: its accuracies, in percent, by the left axis.
        losses: its losses, by the right axis.
        ticks: (y in pixels, text) of the left axis.
        loss_ticks: the same of the right axis.
        held: accuracy of the evaluation within the run's dataset; None without one.
        description: the drawing in words.
    """

    run: str
    method: str
    source: str
    label: Label
    epochs: int
    lines: Sequence[Line]
    losses: Sequence[Line]
    ticks: Sequence[tuple[float, str]]
    loss_ticks: Sequence[tuple[float, str]]
    held: Held | None
    description: str

    @property
    def watched(self) -> bool:
        """Whether each epoch was measured on held-out clips."""
        return any(line.kind == "held" for line in self.lines)

    @property
    def held_out(self) -> bool:
        """Whether there is any accuracy on clips that are not learned from."""
        return self.watched or self.held is not None


def training_curves(workspace: Workspace, evaluations: Sequence[Metrics]) -> list[TrainingCurve]:
    """Lay out the training curves of the evaluated runs.

    A head without its ``metrics.jsonl`` in the workspace is left out.

    Raises:
        InputError: such a file is damaged.
    """
    runs: dict[str, list[Metrics]] = {}
    for metrics in evaluations:
        runs.setdefault(metrics.run.name, []).append(metrics)
    found = []
    for run, own in runs.items():
        within = next((one for one in own if one.within and not one.control and not one.clips_file), None)
        folder = workspace.run_named(run)
        for label in LABELS:
            lines = read_log(folder / label) if folder else []
            if lines:
                epochs = [json.loads(line) for line in lines]
                found.append(training_curve(own[0], label, epochs, within))
    return found


def training_curve(
    metrics: Metrics, label: Label, epochs: Sequence[Mapping[str, Any]], within: Metrics | None = None
) -> TrainingCurve:
    """Lay out one training.

    Args:
        metrics: an evaluation of the run.
        label: of the head.
        epochs: the lines of its ``metrics.jsonl``. A number whose name ends in 'accuracy' or 'loss' becomes a line.
        within: its evaluation within its own dataset.
    """
    names = [name for name in epochs[0] if name.endswith(_ACCURACY)]
    numbers = within.labels.get(label) if within else None
    tested = numbers.top1 if numbers else None
    largest = max([float(epoch[name]) for epoch in epochs for name in names] + [tested or 0.0])
    end = axis_end(largest)
    lines = [_line(name, _ACCURACY, epochs, end) for name in names]
    losses = [name for name in epochs[0] if name.endswith(_LOSS)]
    top = _loss_end([value for name in losses for value in _values(name, epochs) if math.isfinite(value)])
    loss_lines = [_line(name, _LOSS, epochs, top) for name in losses]
    held = None
    if within and numbers and tested is not None:
        kept = (numbers.selected_epoch or len(epochs)) - 1
        held = Held(_x(kept, len(epochs)), _y(tested, end), f"{within.target} {tested:.1f} %")
    words = [
        *(f"{line.name} accuracy {line.first:.1f} % after epoch 1, {line.last:.1f} % at the end" for line in lines),
        *(f"{line.name} loss {line.first:.3f} after epoch 1, {line.last:.3f} at the end" for line in loss_lines),
        *([f"accuracy on {held.words}"] if held else []),
    ]
    return TrainingCurve(
        metrics.name,
        method_name(metrics.run),
        metrics.trained_on.dataset,
        label,
        len(epochs),
        lines,
        loss_lines,
        [(_y(end * share, end), f"{end * share:g} %") for share in (0, 0.5, 1)],
        [(_y(top * share, top), f"{top * share:g}") for share in (0, 0.5, 1)],
        held,
        "; ".join(words),
    )


def _line(name: str, ending: str, epochs: Sequence[Mapping[str, Any]], end: float) -> Line:
    values = _values(name, epochs)
    # A loss may overflow; what is not finite has no place.
    dots = [(_x(index, len(values)), _y(value, end)) for index, value in enumerate(values) if math.isfinite(value)]
    said = name.removesuffix(ending).strip("_").replace("_", " ") or "train"
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in dots)
    return Line(_NAMES.get(said, said), "train" if said == "train" else "held", points, dots, values[0], values[-1])


def _values(name: str, epochs: Sequence[Mapping[str, Any]]) -> list[float]:
    return [float(epoch[name]) for epoch in epochs]


def _loss_end(values: Sequence[float]) -> float:
    """Choose the end of the loss axis: the first even multiple of a power of ten that holds all values."""
    largest = max(values, default=0.0)
    if largest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(largest))
    return next(times * power for times in (1, 2, 4, 6, 8, 10, 20) if largest <= times * power)


def _x(index: int, count: int) -> float:
    return _LEFT + (_RIGHT - _LEFT) * (index / (count - 1) if count > 1 else 0.5)


def _y(value: float, end: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * value / end
