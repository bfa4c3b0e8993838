from __future__ import annotations

import pytest

from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.evaluate.calibration import Temperature, fit_temperature
from pipelines.evaluate.predictions import predictions_of
from pipelines.evaluate.stage import evaluate, evaluation_stage
from pipelines.evaluate.temperature import temperatures_of
from pipelines.evaluate.trained import find_run
from pipelines.train.options import TrainOptions
from pipelines.train.plan import plan_run
from pipelines.train.run import train_run


@pytest.fixture
def run(embedded):
    request = TrainOptions("mine", "zero-shot", classify="full")
    planned = plan_run(embedded, request)
    train_run(embedded, planned, Machine(device="cpu"), Silent())
    return find_run(embedded, planned.name)


def test_another_dataset_takes_the_temperature_of_the_sources_val_split(embedded, run) -> None:
    machine = Machine(device="cpu")
    cross = evaluation_stage(embedded, run, "other", "val")
    assert temperatures_of(cross) == {"noun": Temperature(), "verb": Temperature()}
    evaluate(embedded, run, [("mine", "val")], machine, Silent())
    within = evaluation_stage(embedded, run, "mine", "val")
    nouns = predictions_of(within).of("noun")
    expected = Temperature(fit_temperature(nouns.scores, nouns.truth), "mine val")
    assert temperatures_of(cross)["noun"] == expected
    assert temperatures_of(within) == {"noun": Temperature(), "verb": Temperature()}


def test_predictions_that_are_out_of_date_are_not_fitted_on(embedded, run) -> None:
    evaluate(embedded, run, [("mine", "val")], Machine(device="cpu"), Silent())
    (run.folder / "noun" / "weights.safetensors").write_bytes(b"others")
    assert temperatures_of(evaluation_stage(embedded, run, "other", "val"))["noun"] == Temperature()
