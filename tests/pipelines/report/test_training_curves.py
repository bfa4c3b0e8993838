from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence

import pytest

from data_manifests.schema import Label
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.metrics_file import Metrics
from pipelines.report.training_curves import TrainingCurve, training_curve, training_curves

Make = Callable[..., dict]


def epoch(train: float, loss: float = 1.0, **others: float) -> dict[str, float]:
    return {"epoch": 1, "loss": loss, "train_accuracy": train, "learning_rate": 0.1, **others}


def drawn(made: dict, label: Label, lines: Sequence[dict], within: Metrics | None = None) -> TrainingCurve:
    return training_curve(Metrics.model_validate(made), label, lines, within)


def test_every_accuracy_becomes_a_line_over_one_axis_and_every_loss_over_another(metrics: Make) -> None:
    lines = [
        epoch(0.0, 3.0, source_val_accuracy=5.0, source_val_loss=3.5),
        epoch(18.0, 2.0, source_val_accuracy=10.0, source_val_loss=2.5),
    ]
    made = drawn(metrics(), "noun", lines)
    assert [(line.name, line.last) for line in made.lines] == [("training", 18.0), ("held out", 10.0)]
    assert [(line.name, line.first, line.last) for line in made.losses] == [
        ("training", 3.0, 2.0),
        ("held out", 3.5, 2.5),
    ]
    assert [text for _, text in made.ticks] == ["0 %", "10 %", "20 %"]
    assert [text for _, text in made.loss_ticks] == ["0", "2", "4"]
    bottom, middle = made.ticks[0][0], made.ticks[1][0]
    assert made.lines[0].dots[0][1] == bottom
    assert made.lines[1].dots[1][1] == middle
    assert made.losses[0].dots[1][1] == middle
    assert made.held_out
    assert "training accuracy 0.0 % after epoch 1, 18.0 % at the end" in made.description
    assert "held out loss 3.500 after epoch 1, 2.500 at the end" in made.description


def test_the_evaluation_within_the_dataset_is_a_dot_at_the_epoch_that_was_kept(metrics: Make) -> None:
    made = metrics()
    made["labels"]["noun"]["selected_epoch"] = 2
    lines = [epoch(10.0), epoch(20.0), epoch(30.0)]
    curve = drawn(made, "noun", lines, Metrics.model_validate(made))
    assert curve.held is not None
    assert curve.held.x == curve.lines[0].dots[1][0]
    assert curve.held.words == "clips val 25.0 %"
    assert not curve.watched


def test_without_held_out_clips_the_curve_says_so(metrics: Make) -> None:
    curve = drawn(metrics(), "noun", [epoch(10.0)])
    assert curve.held is None
    assert not curve.held_out


def test_one_epoch_is_a_dot_in_the_middle(metrics: Make) -> None:
    (line,) = drawn(metrics(), "verb", [epoch(50.0)]).lines
    assert line.dots == [(181.0, pytest.approx(12.0))]


def test_a_loss_that_overflowed_has_no_place(metrics: Make) -> None:
    (line,) = drawn(metrics(), "verb", [epoch(50.0, 2.0), epoch(50.0, math.inf), epoch(50.0, 1.0)]).losses
    assert len(line.dots) == 2
    assert "nan" not in line.points


@pytest.mark.parametrize(("loss", "end"), [(0.0, "1"), (0.05, "0.06"), (1.0, "1"), (2.9, "4"), (11.0, "20")])
def test_the_loss_axis_ends_at_a_round_number(metrics: Make, loss: float, end: str) -> None:
    assert drawn(metrics(), "verb", [epoch(50.0, loss)]).loss_ticks[-1][1] == end


def test_only_trainings_of_the_workspace_are_drawn(workspace: Workspace, metrics: Make) -> None:
    there = [Metrics.model_validate(metrics(run=name)) for name in ("a", "b", "a")]
    folder = workspace.root / "runs/a/noun"
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text(json.dumps(epoch(1.0)) + "\n")
    assert [(found.run, found.label) for found in training_curves(workspace, there)] == [("a", "noun")]
