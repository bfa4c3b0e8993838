from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from data_manifests.errors import InputError, UsageError
from pipelines.methods.recipe import Recipe
from pipelines.train.policy import LEARNING_RATES, SelectionPolicy, hold_out, parse_percent

RECORDINGS = [f"P{n // 5:02d}_{n % 3}" for n in range(100)]


def test_whole_recordings_are_held_out_and_always_the_same() -> None:
    held = hold_out(RECORDINGS, 20)
    assert np.array_equal(held, hold_out(RECORDINGS, 20))
    names = np.array(RECORDINGS)
    assert not set(names[held]) & set(names[~held])
    assert len(set(names[held])) == 12  # 20 % of 60


def test_which_recordings_are_held_out_does_not_depend_on_their_order_or_clips() -> None:
    order = np.random.default_rng(0).permutation(100)
    shuffled = [RECORDINGS[i] for i in order]
    assert np.array_equal(hold_out(shuffled, 20), hold_out(RECORDINGS, 20)[order])


def test_holding_out_more_keeps_what_was_held_out_before() -> None:
    assert (hold_out(RECORDINGS, 50) | ~hold_out(RECORDINGS, 10)).all()


def test_a_small_share_holds_out_one_recording_and_the_last_is_never_taken() -> None:
    assert hold_out(["a", "b", "b"], 1).sum() in (1, 2)
    with pytest.raises(InputError, match="--source-val 10%: 1 of 1 recordings would be held out and none trained on"):
        hold_out(["a", "a"], 10)


def test_matched_holds_out_a_tenth_unless_told_otherwise() -> None:
    assert SelectionPolicy().ordinary
    assert SelectionPolicy("matched").source_val == 10
    assert SelectionPolicy("matched", 20.0).source_val == 20
    assert SelectionPolicy("matched", select="source-val").chosen_by == "source_val_accuracy"
    assert (SelectionPolicy().chosen_by, SelectionPolicy(select="target", target="a").chosen_by) == (
        None,
        "target_accuracy",
    )


def test_the_learning_rates_span_those_that_were_published() -> None:
    assert list(LEARNING_RATES) == sorted(set(LEARNING_RATES))
    assert LEARNING_RATES[0] <= 1e-4 < Recipe().lr < 2e-3 < LEARNING_RATES[-1]


@pytest.mark.parametrize(("value", "percent"), [("10%", 10), ("2.5", 2.5), (" 7 %", 7), (30, 30)])
def test_a_percentage_is_read_with_or_without_its_sign(value: Any, percent: float) -> None:
    assert parse_percent(value) == percent


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        ({"recipe": "best"}, "--recipe best: expected published, matched"),
        ({"select": "best"}, "--select best: expected last, source-val, target"),
        ({"source_val": 0.0}, "--source-val 0%: expected more than 0 and less than 100"),
        ({"source_val": 100.0}, "--source-val 100%: expected"),
        ({"select": "source-val"}, "--select source-val needs recordings that are held out: add --source-val 10%"),
        ({"select": "target"}, r"--select target needs .*: add --target DATASET\[:SPLIT\]"),
        ({"target": "epic"}, "--target epic: it is for --select target; --select is last"),
    ],
)
def test_terms_that_contradict_each_other_are_refused(policy: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        SelectionPolicy(**policy)


@pytest.mark.parametrize("value", ["ten", "", "nan%"])
def test_a_share_that_is_no_percentage_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="expected a percentage, for instance 10%"):
        parse_percent(value)
