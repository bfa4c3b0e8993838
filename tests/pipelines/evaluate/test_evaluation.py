from __future__ import annotations

import pytest

from pipelines.evaluate.evaluation import Evaluation, harmonic_mean_of, harmonic_means
from pipelines.evaluate.intervals import harmonic, interval, resampled
from pipelines.evaluate.metrics_file import Metrics
from tests.pipelines.evaluate.cards import METRICS, NUMBERS

OWN = {f"v{k}": [k % 2, 1] for k in range(40)}
OTHER = {f"w{k}": [k % 4 == 0, 1] for k in range(40)}


def metrics(dataset: str, within: bool, top1: float | None, recordings: dict) -> Metrics:
    noun = {**NUMBERS, "top1": top1, "recordings": recordings}
    target = {"dataset": dataset, "split": "val"}
    return Metrics.model_validate({**METRICS, "target": target, "within": within, "labels": {"noun": noun}})


def test_a_head_without_clips_has_no_harmonic_mean() -> None:
    there, nothing = metrics("a", True, 50.0, OWN), metrics("b", False, None, {})
    assert harmonic_means([there, nothing]) == []
    assert harmonic_means([metrics("b", False, 50.0, OWN)]) == []
    assert harmonic_mean_of(None, there, "noun") is None


def test_the_harmonic_mean_has_an_interval_over_the_recordings_of_both() -> None:
    within, cross = metrics("a", True, 50.0, OWN), metrics("b", False, 25.0, OTHER)
    (found,) = harmonic_means([within, cross])
    assert (str(found.target), found.label, found.value) == ("b val", "noun", pytest.approx(100 / 3))
    assert found.interval == interval(harmonic(resampled(OWN, 0), resampled(OTHER, 1)))
    assert found.interval_kind == "bootstrap"


def test_the_harmonic_mean_has_no_interval_where_one_accuracy_has_no_spread() -> None:
    none_right = metrics("b", False, 0.0, {name: [0, 1] for name in OTHER})
    (found,) = harmonic_means([metrics("a", True, 50.0, OWN), none_right])
    assert (found.value, found.interval, found.interval_kind) == (0.0, None, "degenerate")


def test_an_evaluation_says_its_metrics_where_they_lie_and_whether_they_are_new(tmp_path) -> None:
    found = Evaluation(metrics("a", True, 50.0, OWN), tmp_path, 1).as_dict()
    assert (found["made"], found["folder"], found["labels"]["noun"]["top1"]) == (1, str(tmp_path), 50.0)
