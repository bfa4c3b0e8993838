from __future__ import annotations

import pytest

from pipelines.engine.machine import Machine
from pipelines.train.estimate import estimate
from pipelines.train.options import TrainOptions
from pipelines.train.plan import plan_run
from pipelines.train.policy import SelectionPolicy

CPU = Machine(device="cpu")


def estimated(workspace, **request):
    return estimate(workspace, plan_run(workspace, TrainOptions(**request)), CPU)


def test_steps_follow_from_clips_batch_and_epochs(embedded):
    found = estimated(embedded, set={"batch": 4, "epochs": 3})
    assert {label: (head.clips, head.classes) for label, head in found.items()} == {"noun": (6, 3), "verb": (6, 3)}
    assert (found["noun"].steps_per_epoch, found["noun"].steps) == (2, 6)


def test_what_is_held_out_is_not_trained_on_and_every_trial_is_counted(embedded):
    policy = SelectionPolicy("matched", 50.0)
    head = estimated(embedded, label="noun", **vars(policy), set={"batch": 1, "epochs": 2})["noun"]
    assert (head.clips, head.trials, head.steps_per_epoch, head.steps) == (3, 5, 3, 3 * 2 * 5)


def test_time_is_that_of_timed_steps_and_nothing_is_written(embedded):
    before = sorted(embedded.root.rglob("*"))
    head = estimated(embedded, label="noun")["noun"]
    assert head.timed_steps == 3
    assert head.seconds == pytest.approx(head.seconds_per_step * head.steps)
    assert sorted(embedded.root.rglob("*")) == before


def test_memory_grows_with_the_optimiser_and_with_the_batch(embedded):
    adamw, sgd, small = (
        estimated(embedded, label="noun", set=overrides)["noun"]
        for overrides in ({}, {"optimiser": "sgd"}, {"batch": 1})
    )
    assert adamw.bytes - sgd.bytes == 4 * adamw.parameters
    assert adamw.bytes > small.bytes > 4 * 4 * adamw.parameters


def test_zero_shot_has_no_step(embedded):
    head = estimated(embedded, method="zero-shot", label="verb")["verb"]
    assert (head.parameters, head.steps, head.seconds) == (0, 0, None)
