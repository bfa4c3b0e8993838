from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.engine.workspace import Workspace
from pipelines.report.collect import collect
from pipelines.report.shared_novel_figure import FULL, PartsPanel, draw_parts
from pipelines.report.tables import tables_of
from tests.pipelines.report.evaluations import both, evaluation

Put = Callable[..., Path]


def _drawn(workspace: Workspace, evaluated: Put, *made: dict) -> list[PartsPanel]:
    evaluated(*made)
    return draw_parts(tables_of(collect(workspace), workspace).tables)


def test_a_run_has_a_dot_for_each_part_and_form(workspace: Workspace, evaluated: Put) -> None:
    noun, verb = _drawn(workspace, evaluated, *both())
    assert noun.title.startswith("noun, trained on ego4d")
    assert [dot.part for dot in verb.dots] == ["shared", "novel"] * 2
    assert [dot.x for dot in noun.dots] == [pytest.approx(FULL * value / 50) for value in (30, 20, 20, 10)]
    assert [dot.few for dot in noun.dots] == [False, True, False, True]  # half of the recordings have novel classes
    assert all(dot.low <= dot.x <= dot.high <= 100 for dot in noun.dots)


def test_the_description_says_every_dot_with_its_interval(workspace: Workspace, evaluated: Put) -> None:
    noun, _ = _drawn(workspace, evaluated, *both())
    assert noun.description == (
        "xmic official, shared, restricted: 30.00 % (18.1–45.4 w); "
        "xmic official, novel, restricted: 20.00 % (8.1–41.6 w); "
        "xmic official, shared, all classes compete: 20.00 % (10.5–34.8 w); "
        "xmic official, novel, all classes compete: 10.00 % (2.8–30.1 w)"
    )


def test_nothing_overlaps_and_everything_is_inside(workspace: Workspace, evaluated: Put) -> None:
    for panel in _drawn(workspace, evaluated, *both(), *both("coop", right=5)):
        heights = [dot.y for dot in panel.dots]
        assert all(after - before >= 30 for before, after in zip(heights, heights[1:], strict=False))
        assert max(heights) < panel.height


def test_without_a_cross_evaluation_there_is_nothing_to_draw(workspace: Workspace, evaluated: Put) -> None:
    assert _drawn(workspace, evaluated, evaluation(target="ego4d")) == []
