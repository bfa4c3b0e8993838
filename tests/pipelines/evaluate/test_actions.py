from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.evaluate.actions import action_metrics, rank_actions, seen_pairs, top_actions
from pipelines.evaluate.calibration import log_probabilities
from tests.pipelines.evaluate.hand_made import predictions, vocabulary

ONE = {"noun": 1.0, "verb": 1.0}


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 6), st.integers(1, 7))
def test_the_best_pairs_are_those_of_all_pairs_sorted(seed: int, verbs: int, nouns: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    of_verb, of_noun = (log_probabilities(rng.normal(size=(3, count))) for count in (verbs, nouns))
    found_verbs, found_nouns, values = top_actions(of_verb, of_noun, k)
    every = (of_verb[:, :, None] + of_noun[:, None, :]).reshape(3, -1)
    order = np.argsort(-every, axis=1)[:, :k]
    assert np.array_equal(found_verbs * nouns + found_nouns, order)
    assert values == pytest.approx(np.take_along_axis(every, order, 1))


VERBS = [[2, 0], [2, 0], [0, 2], [2, 0]]
NOUNS = [[3, 0, 0], [3, 0, 0], [0, 0, 3], [0, 0, 3]]
LABELS = {"verb": [0, 0, 1, 1], "noun": [0, 1, 2, -1]}


def ranked(**options):
    return rank_actions(predictions({"verb": VERBS, "noun": NOUNS}, LABELS, **options), ONE)


def test_an_action_is_right_when_verb_and_noun_are_and_only_clips_with_both_count() -> None:
    found = action_metrics(ranked(), None)
    assert found.top1 == pytest.approx(200 / 3)
    assert found.top5 == 100
    assert (found.n_evaluated, found.n_official) == (3, 3)
    assert found.recordings == {"r0": (1, 2), "r1": (1, 1)}
    assert (found.seen, found.unseen) == (None, None)


def test_pairs_that_training_shows_stand_apart_from_those_it_does_not() -> None:
    found = action_metrics(ranked(), {(0, 0), (1, 2), (1, 0)})
    assert (found.seen.pairs, found.seen.percent, found.seen.n_official) == (2, 100.0, 2)
    assert (found.unseen.pairs, found.unseen.percent, found.unseen.n_official) == (1, 0.0, 1)


def test_a_clip_without_scores_is_official_but_not_evaluated() -> None:
    half = predictions({"verb": VERBS[:1], "noun": NOUNS[:1]}, LABELS, rows=[0])
    found = action_metrics(rank_actions(half, ONE), set())
    assert (found.n_evaluated, found.n_official, found.unseen.n_official) == (1, 3, 3)


def test_the_temperatures_of_the_heads_decide_the_joint_order() -> None:
    # Six pairs; the last of them by its noun alone is among the five best once the verbs are soft.
    clip = {"verb": [[9.0, 0.0]], "noun": [[5.0, 4.0, 0.0]]}
    item = predictions(clip, {"verb": [1], "noun": [0]})
    best = [
        top_actions(log_probabilities(item.scores["verb"], hot), log_probabilities(item.scores["noun"], 1.0), 6)[0][
            0
        ].tolist()
        for hot in (1.0, 10.0)
    ]
    assert best[0] == [0, 0, 0, 1, 1, 1]
    assert best[1] != best[0]


def test_without_a_clip_that_has_both_labels_there_is_no_number() -> None:
    item = predictions({"verb": VERBS, "noun": NOUNS}, {"verb": [-1] * 4, "noun": [-1] * 4})
    found = action_metrics(rank_actions(item, ONE), set())
    assert (found.top1, found.top5, found.n_official, found.seen.percent) == (None, None, 0, None)


def test_pairs_are_seen_by_name_and_a_training_clip_must_show_both() -> None:
    verbs = vocabulary([[4], [5], []], [1, 1, 0], "verb")
    nouns = vocabulary([[1], [1, 2]], [3, 3])
    assert seen_pairs({(4, 1), (5, 2), (6, 1)}, verbs, nouns) == {(0, 0), (0, 1), (1, 1)}
