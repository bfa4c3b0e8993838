from __future__ import annotations

from typing import Any

import pytest

from pipelines.evaluate.metrics_file import Metrics
from pipelines.report.table_compare import Compared, comparisons, corrected
from pipelines.report.table_groups import Group
from tests.pipelines.report.evaluations import both


def _group(method: str, right: int = 3, **how: Any) -> Group:
    own, other = (Metrics.model_validate(one) for one in both(method, right=right, **how))
    return Group([(own, other)])


def _pairs(table: int, *groups: Group) -> set[tuple[str, str]]:
    return {(one.title, one.against) for one in comparisons(table, groups)}


def test_without_xmic_methods_are_compared_with_zero_shot() -> None:
    assert _pairs(1, _group("zero-shot"), _group("coop")) == {("coop official", "zero-shot")}
    assert _pairs(1, _group("coop"), _group("a5")) == set()


def test_the_baseline_is_the_official_published_xmic() -> None:
    paper = _group("xmic", run={"preset": "paper"})
    assert _pairs(1, paper, _group("xmic"), _group("coop")) == {
        ("xmic paper", "xmic official"),
        ("coop official", "xmic official"),
    }


@pytest.mark.parametrize(
    "how",
    [
        {"run": {"recipe": "matched", "source_val": 10.0}},
        {"run": {"source_val": 10.0, "select": "source-val"}},
        {"protocol": {"classify": "hand"}},
    ],
)
def test_a_baseline_on_equal_terms_comes_before_the_default_one(how: dict[str, Any]) -> None:
    alike, default = _group("xmic", **how), _group("xmic")
    coop, other = _group("coop", **how), _group("coop")
    assert {against for title, against in _pairs(1, default, alike, coop) if title.startswith("coop")} == {alike.method}
    assert {against for title, against in _pairs(1, alike, default, other) if title == "coop official"} == {
        "xmic official"
    }


def test_prompts_are_compared_with_zero_shot_of_the_same_prompt() -> None:
    prompt = {"protocol": {"prompt": "A {}"}}
    groups = [_group("zero-shot"), _group("zero-shot", **prompt), _group("xmic", **prompt)]
    assert _pairs(7, *groups) == {("xmic official, prompt=A {}", "zero-shot, prompt=A {}")}


def test_shared_and_novel_are_compared_as_the_paper_prints_them() -> None:
    found = list(comparisons(2, [_group("xmic"), _group("coop", right=5)]))
    assert [one.column for one in found[:3]] == ["noun shared", "noun novel", "noun shared-novel hm"]
    assert found[0].difference == pytest.approx(20.0)


def test_p_values_are_corrected_over_all_sections_and_what_has_none_stays() -> None:
    made = [[Compared("a", "b", "x", 1.0, (0.0, 2.0), p)] for p in (0.01, 0.04)]
    first, second = corrected([[*made[0], Compared("a", "b", "y")], made[1]])
    assert [one.corrected for one in (*first, *second)] == [0.02, None, 0.04]
