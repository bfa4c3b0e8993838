from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from data_manifests.errors import InputError, UsageError
from pipelines.evaluate.metrics import class_mean, harmonic_mean, hits, top_k

SCORES = np.array([[0.1, 0.9, 0.0], [0.5, 0.2, 0.3], [0.0, 0.1, 0.2], [0.4, 0.3, 0.2]])
LABELS = np.array([1, 2, 2, 2])


def test_top_k_counts_clips_in_percent() -> None:
    assert [top_k(SCORES, LABELS, k) for k in (1, 2, 3)] == [50.0, 75.0, 100.0]


def test_top_1_is_the_default() -> None:
    assert top_k(SCORES, LABELS) == 50.0


def test_of_equal_scores_the_lower_class_index_wins() -> None:
    scores = np.zeros((4, 4))
    assert [top_k(scores, np.arange(4), k) for k in (1, 2, 3, 4)] == [25.0, 50.0, 75.0, 100.0]


def test_k_above_the_number_of_classes_counts_every_clip() -> None:
    assert top_k(SCORES, LABELS, 5) == 100.0


def test_classes_kept_out_by_minus_infinity_never_win_over_the_rest() -> None:
    scores = np.array([[5.0, 1.0, 0.0]])
    scores[:, 0] = -np.inf
    assert top_k(scores, np.array([1])) == 100.0


@settings(deadline=None)
@given(
    hnp.arrays(np.float32, st.tuples(st.integers(1, 12), st.integers(1, 6)), elements=st.integers(-2, 2)),
    st.integers(1, 7),
    st.randoms(use_true_random=False),
)
def test_top_k_equals_a_stable_sort(scores: np.ndarray, k: int, random: object) -> None:
    labels = np.random.default_rng(random.getrandbits(32)).integers(0, scores.shape[1], len(scores))  # type: ignore[attr-defined]
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    assert top_k(scores, labels, k) == pytest.approx(100 * np.mean((best == labels[:, None]).any(1)))


def test_class_mean_averages_over_classes_that_have_clips() -> None:
    assert class_mean(hits(SCORES, LABELS), LABELS) == pytest.approx((100 + 100 / 3) / 2)


def test_class_mean_equals_top_1_when_classes_have_as_many_clips() -> None:
    rng = np.random.default_rng(0)
    scores, labels = rng.standard_normal((30, 5)), np.repeat(np.arange(5), 6)
    assert class_mean(hits(scores, labels), labels) == pytest.approx(top_k(scores, labels))


def test_harmonic_mean_reproduces_a_row_of_the_paper() -> None:
    # X-MIC, Table 1, zero-shot CLIP: nouns 5.89 within Ego4D and 8.74 on EPIC-KITCHENS.
    assert harmonic_mean(5.89, 8.74) == pytest.approx(7.04, abs=0.011)


@pytest.mark.parametrize(("a", "b"), [(0.0, 50.0), (50.0, 0.0), (0.0, 0.0)])
def test_harmonic_mean_is_0_if_either_is_0(a: float, b: float) -> None:
    assert harmonic_mean(a, b) == 0.0


def test_results_are_plain_floats() -> None:
    results = (
        top_k(SCORES, LABELS),
        class_mean(hits(SCORES, LABELS), LABELS),
        harmonic_mean(np.float32(1), np.float32(2)),
    )
    assert [type(result) for result in results] == [float, float, float]


@pytest.mark.parametrize("metric", [top_k, hits])
@pytest.mark.parametrize(
    ("scores", "labels", "text"),
    [
        (np.zeros((0, 3)), np.zeros(0, np.int64), "no clips to score: the set is empty"),
        (np.zeros((2, 3)), np.zeros(3, np.int64), r"shape \[2, 3\] with labels of shape \[3\]: expected \[clips"),
        (np.zeros(3), np.zeros(3, np.int64), r"scores of shape \[3\]"),
        (np.zeros((2, 3)), np.array([0, 3]), r"clip 1: label 3 is outside the 3 classes \(0 to 2\)"),
        (np.zeros((2, 3)), np.array([-1, 0]), "clip 0: label -1 is outside"),
        (
            np.array([[0.0, 1.0], [np.nan, 0.0]]),
            np.array([0, 1]),
            r"clip 1: a score is not a number \(1 of 2 clips\).*xmic status --verify",
        ),
    ],
)
def test_what_cannot_be_scored_is_refused(metric: object, scores: np.ndarray, labels: np.ndarray, text: str) -> None:
    with pytest.raises(InputError, match=text):
        metric(scores, labels)  # type: ignore[operator]


def test_top_0_is_refused() -> None:
    with pytest.raises(UsageError, match="top-0: expected k of 1 or more"):
        top_k(SCORES, LABELS, 0)
