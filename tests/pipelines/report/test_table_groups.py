from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.engine.workspace import Workspace
from pipelines.report.collect import collect
from pipelines.report.table_groups import Group, groups_of
from tests.pipelines.report.evaluations import both, evaluation

Put = Callable[..., Path]


def _groups(workspace: Workspace, evaluated: Put, *made: dict[str, Any]) -> list[Group]:
    evaluated(*made)
    return groups_of(collect(workspace))


def test_seeds_are_joined_in_their_order(workspace: Workspace, evaluated: Put) -> None:
    made = [one for seed in (10, 2, 1) for one in both(seed=seed)]
    (group,) = _groups(workspace, evaluated, *made)
    assert group.seeds == [1, 2, 10]


@pytest.mark.parametrize(
    "how",
    [
        {"run": {"preset": "paper"}},
        {"run": {"recipe": "matched"}},
        {"run": {"changed_settings": {"n2": True}}},
        {"protocol": {"streams": "full"}},
        {"clips_file": {"sha256": "ab", "clips": 4}},
    ],
)
def test_runs_that_differ_in_anything_else_are_not(workspace: Workspace, evaluated: Put, how: dict[str, Any]) -> None:
    how["run"] = {"name": "another", **how.get("run", {})}
    assert len(_groups(workspace, evaluated, *both(), *both(seed=1, **how))) == 2


def test_the_same_seed_twice_is_two_lines_and_no_seed_more(workspace: Workspace, evaluated: Put) -> None:
    groups = _groups(workspace, evaluated, *both(), *both(run={"name": "again"}))
    assert [group.seeds for group in groups] == [[0], [0]]


def test_a_line_says_how_it_was_made(workspace: Workspace, evaluated: Put) -> None:
    how = {"run": {"preset": "paper", "changed_recipe": {"epochs": 2}}, "protocol": {"classify": "hand"}}
    (group,) = _groups(workspace, evaluated, evaluation(random_weights=["vit"], **how))
    assert group.method == "xmic paper (epochs=2; classifies hand)"
    assert (
        group.protocol_words
        == "encoder open-clip-vit-b-16-openai-01234567, streams both, plan seg16-k1-256px-q95, prompt {}"
    )
    assert (group.within, str(group.cross), group.marks) == (None, "epic val", "R")
