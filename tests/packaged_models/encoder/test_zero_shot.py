from __future__ import annotations

import math

import numpy as np
import pytest

from packaged_models.encoder.zero_shot import ZeroShot, measure_zero_shot, unit
from pipelines.evaluate.cluster_counts import Recordings

TEXTS = np.array([[3.0, 0.0], [0.0, 5.0]])


def _measured(labels: list[int], recordings: list[str], texts: np.ndarray = TEXTS) -> ZeroShot:
    """Of clips that all look like the first class; the logit scale is 2."""
    vectors = np.tile([0.5, 0.0], (len(labels), 1))
    return measure_zero_shot(vectors, texts, np.array(labels), Recordings.from_ids(recordings), 2.0)


def _names(count: int) -> list[str]:
    return [f"{number:03}" for number in range(count)]


def test_three_of_four_right_have_the_known_loss_temperature_and_cosines() -> None:
    found = _measured([0, 0, 0, 1], _names(4))
    assert (found.clips, found.recordings, found.classes, found.top1) == (4, 4, 2, 75.0)
    right, wrong = math.log(1 + math.exp(-2)), math.log(1 + math.exp(2))
    assert found.loss == pytest.approx((3 * right + wrong) / 4)
    assert found.temperature == pytest.approx(2 / math.log(3), rel=1e-5)  # the odds are then 3 to 1
    assert found.best_loss == pytest.approx(-(3 * math.log(0.75) + math.log(0.25)) / 4)
    assert found.chance_loss == pytest.approx(math.log(2))
    assert found.gain == pytest.approx(found.chance_loss - found.best_loss)
    assert (found.own_cosine, found.all_cosine, found.text_cosine) == pytest.approx((0.75, 0.5, 0.0))


def test_the_cosine_of_texts_is_the_mean_over_pairs_of_classes() -> None:
    texts = np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    assert _measured([0, 1, 2], _names(3), texts).text_cosine == pytest.approx(math.sqrt(2) / 3)


def test_equal_texts_have_the_loss_of_equal_scores_and_are_not_informative() -> None:
    found = _measured([0, 1, 0, 0], _names(4), np.array([[1.0, 1.0], [2.0, 2.0]]))
    assert found.loss == pytest.approx(math.log(2))
    assert found.best_loss == pytest.approx(math.log(2))
    assert not found.informative


def test_texts_that_mislead_want_the_largest_temperature() -> None:
    found = _measured([1] * 50, _names(50))
    assert found.temperature == pytest.approx(100, rel=1e-4)
    assert found.best_loss > math.log(2)
    assert found.cosine_gap_interval == pytest.approx((-0.5, -0.5))
    assert not found.informative


def test_many_recordings_that_agree_are_informative_and_few_that_do_not_are_not() -> None:
    labels = [0, 0, 0, 1] * 40
    apart = _measured(labels, _names(160))
    together = _measured(labels, ["abcd"[number % 4] for number in range(160)])
    assert apart.gain == together.gain > 0
    assert apart.gain_interval[0] > 0
    assert apart.informative
    assert together.gain_interval[0] < 0 < together.gain_interval[1]
    assert not together.informative


def test_a_few_right_of_few_are_not_informative() -> None:
    assert not _measured([0, 0, 0, 1], _names(4)).informative


def test_a_vector_of_length_one_keeps_its_direction() -> None:
    assert unit(np.array([[3.0, 4.0]])) == pytest.approx(np.array([[0.6, 0.8]]))
