from __future__ import annotations

import numpy as np

from pipelines.evaluate.actions import rank_actions
from pipelines.evaluate.epic import TAIL, epic_metrics
from tests.pipelines.evaluate.hand_made import predictions

ONE = {"noun": 1.0, "verb": 1.0}


def scores_for(classes: int, best: list[int]) -> list[list[float]]:
    found = np.zeros((len(best), classes))
    found[np.arange(len(best)), best] = 5
    return found.tolist()


def numbers(labels, best_verbs, best_nouns, participants):
    item = predictions(
        {"verb": scores_for(97, best_verbs), "noun": scores_for(300, best_nouns)}, labels, participants=participants
    )
    return epic_metrics(item, rank_actions(item, ONE))


def test_the_tail_is_that_of_the_official_files() -> None:
    assert TAIL["verb"][:3] == [10, 12, 13]
    assert (len(TAIL["verb"]), TAIL["verb"][-1]) == (86, 96)
    assert TAIL["noun"][:5] == [56, 59, 61, 62, 64]
    assert (len(TAIL["noun"]), TAIL["noun"][-4:]) == (228, [293, 297, 298, 299])


def test_a_tail_action_has_a_tail_verb_or_a_tail_noun() -> None:
    labels = {"verb": [0, 10, 0, 10], "noun": [0, 0, 60, 59]}
    found = numbers(labels, [0, 10, 0, 0], [0, 0, 60, 59], ["P01"] * 4)
    tail = found["tail_classes"]
    assert {name: (of.percent, of.n_official) for name, of in tail.items()} == {
        "verb": (50.0, 2),
        "noun": (100.0, 1),
        "action": (50.0, 2),
    }
    assert found["overall"]["action"].percent == 75
    assert found["overall"]["verb"].top5 == 75


def test_unseen_participants_are_P18_and_P32() -> None:
    labels = {"verb": [0, 1, 2, 3], "noun": [0, 1, 2, 3]}
    found = numbers(labels, [0, 1, 0, 0], [0, 0, 0, 3], ["P18", "P32", "P01", "P08"])["unseen_participants"]
    assert {name: (of.percent, of.n_evaluated) for name, of in found.items()} == {
        "verb": (100.0, 2),
        "noun": (50.0, 2),
        "action": (50.0, 2),
    }


def test_a_head_that_is_not_there_is_left_out() -> None:
    item = predictions({"verb": scores_for(97, [0, 0])}, {"verb": [0, 1], "noun": [0, 0]})
    found = epic_metrics(item, None)
    assert list(found["overall"]) == ["verb"]
