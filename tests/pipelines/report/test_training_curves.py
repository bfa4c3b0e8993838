from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from pipelines.engine.workspace import Workspace
from pipelines.evaluate.metrics_file import Metrics
from pipelines.report.training_curves import training_curve, training_curves


def epoch(train: float, loss: float = 1.0, **others: float) -> dict[str, float]:
    return {"epoch": 1, "loss": loss, "train_accuracy": train, "learning_rate": 0.1, **others}


def test_every_accuracy_becomes_a_line_over_one_axis() -> None:
    lines = [epoch(0.0, 3.0, source_val_accuracy=5.0), epoch(18.0, 2.0, source_val_accuracy=10.0)]
    made = training_curve("r", "noun", lines)
    assert [(line.name, line.last) for line in made.lines] == [("train", 18.0), ("source val", 10.0)]
    assert [text for _, text in made.ticks] == ["0 %", "10 %", "20 %"]
    (_, bottom), (_, middle) = made.ticks[0][::-1], made.ticks[1][::-1]
    assert made.lines[0].dots[0][1] == bottom
    assert made.lines[1].dots[1][1] == middle
    assert made.losses == (3.0, 2.0)
    assert "train accuracy 0.0 % after epoch 1, 18.0 % after epoch 2" in made.description


def test_one_epoch_is_a_dot_in_the_middle() -> None:
    (line,) = training_curve("r", "verb", [epoch(50.0)]).lines
    assert line.dots == [(255.0, pytest.approx(12.0))]


def test_only_trainings_of_the_workspace_are_drawn(workspace: Workspace, metrics: Callable[..., dict]) -> None:
    there = [Metrics.model_validate(metrics(run=name)) for name in ("a", "b", "a")]
    folder = workspace.root / "runs/a/noun"
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text(json.dumps(epoch(1.0)) + "\n")
    assert [(found.run, found.label) for found in training_curves(workspace, there)] == [("a", "noun")]
