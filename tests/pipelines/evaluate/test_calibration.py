from __future__ import annotations

import numpy as np
import pytest

from pipelines.evaluate.calibration import (
    Temperature,
    calibration_error,
    fit_temperature,
    fit_temperatures,
    log_probabilities,
)
from tests.pipelines.evaluate.hand_made import predictions


def logits_of(probabilities: list[list[float]]) -> np.ndarray:
    return np.log(np.array(probabilities))


def test_the_error_is_the_gap_between_confidence_and_accuracy_weighted_by_clips() -> None:
    # Bins of a fifteenth: 0.9 is in the fourteenth, 0.6 in the ninth.
    logits = logits_of([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.6, 0.4]])
    labels = np.array([0, 1, 1, 0])
    # |1/2 − 0.9| over two clips, |1 − 0.6| over two.
    assert calibration_error(logits, labels) == pytest.approx(100 * (0.4 * 2 + 0.4 * 2) / 4)


def test_clips_of_one_bin_cancel_and_those_of_two_do_not() -> None:
    same = logits_of([[0.61, 0.39], [0.63, 0.37]])
    assert calibration_error(same, np.array([0, 1])) == pytest.approx(100 * abs(0.5 - 0.62))


def test_certain_and_right_is_no_error_and_certain_and_wrong_is_all_of_it() -> None:
    logits = np.array([[900.0, 0.0], [900.0, 0.0]])
    assert calibration_error(logits, np.array([0, 0])) == 0
    assert calibration_error(logits, np.array([1, 1])) == 100


def test_a_temperature_softens_the_probabilities() -> None:
    assert np.exp(log_probabilities(np.array([[2.0, 0.0]]), 2.0))[0, 0] == pytest.approx(1 / (1 + np.exp(-1)))


def test_the_fitted_temperature_is_the_one_the_labels_were_drawn_with() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 3)) * 2
    cumulated = np.exp(log_probabilities(logits, 2.5)).cumsum(1)
    labels = (rng.random((len(logits), 1)) > cumulated).sum(1).clip(0, 2)
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(2.5, rel=0.1)
    assert calibration_error(logits, labels, found) < calibration_error(logits, labels)


def test_labels_that_are_all_right_ask_for_the_coldest_temperature() -> None:
    assert fit_temperature(np.array([[1.0, 0.0]]), np.array([0])) == pytest.approx(0.01, rel=1e-3)


def test_each_head_has_its_own_temperature_and_one_without_clips_keeps_1() -> None:
    item = predictions({"noun": [[4, 0], [4, 0], [0, 2]], "verb": [[1, 0]] * 3}, {"noun": [0, 1, 1], "verb": [-1] * 3})
    found = fit_temperatures(item, "mine val")
    nouns = item.of("noun")
    assert found == {
        "noun": Temperature(fit_temperature(nouns.scores, nouns.truth), "mine val"),
        "verb": Temperature(),
    }
