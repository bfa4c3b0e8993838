from __future__ import annotations

from typing import Any

import pytest

from pipelines.engine.workspace import Workspace
from pipelines.evaluate.metrics_file import Metrics
from pipelines.report.table_groups import Group
from pipelines.report.table_plans import columns, fits, setting_of
from tests.pipelines.report.evaluations import both, evaluation


def _group(*made: dict[str, Any]) -> Group:
    own, other = (Metrics.model_validate(one) for one in made)
    return Group([(own, other)])


@pytest.mark.parametrize(
    ("how", "tables"),
    [
        ({}, [1, 2, 4, 5, 6, 7]),
        ({"method": "zero-shot"}, [1, 2, 5, 7]),
        ({"method": "coop"}, [1, 2]),
        ({"protocol": {"streams": "hand"}}, [4]),
        ({"protocol": {"prompt": "A {}"}}, [7]),
        ({"protocol": {"v2": "timm-vit-large-patch14-dinov2.lvd142m-0a"}}, [1, 2]),
        ({"run": {"changed_settings": {"n2": True}}}, [6]),
        ({"run": {"changed_settings": {"layers": 2}}}, []),
        ({"run": {"changed_recipe": {"epochs": 2}}}, [1, 2, 4, 5, 6, 7]),
    ],
)
def test_a_run_is_in_every_table_whose_setting_it_fits(
    workspace: Workspace, how: dict[str, Any], tables: list[int]
) -> None:
    group = _group(*both(**how))
    assert [table for table in range(1, 8) if fits(table, group, workspace)] == tables


def test_on_egtea_it_is_in_table_3_and_not_in_table_1(workspace: Workspace) -> None:
    group = _group(evaluation(target="ego4d"), evaluation(target="egtea"))
    assert [fits(table, group, workspace) for table in (1, 3)] == [False, True]


@pytest.mark.parametrize(
    ("changed", "norms"),
    [({}, "n1"), ({"n1": False}, "none"), ({"n2": True, "n3": True}, "n1 n2 n3"), ({"n1": False, "n2": True}, "n2")],
)
def test_norms_are_called_as_in_the_paper(changed: dict[str, bool], norms: str) -> None:
    assert setting_of(6, _group(*both(run={"changed_settings": changed}))) == f"norms={norms}"


def test_table_2_has_the_paper_s_numbers_first_and_those_with_all_classes_beside_them() -> None:
    heads = [column.head for column in columns(2) if column.label == "noun"]
    assert heads[:3] == ["shared", "novel", "hm"]
    assert heads[3:] == ["shared, all compete", "novel, all compete", "hm, all compete", "novel called shared"]
