from __future__ import annotations

from typing import Any

import pytest

from data_manifests.errors import UsageError
from pipelines.methods.recipe import Recipe
from pipelines.train.policy import LEARNING_RATES, SelectionPolicy, parse_percent


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
