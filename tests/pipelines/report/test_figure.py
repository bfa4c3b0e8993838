from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.engine.workspace import Workspace
from pipelines.report.collect import collect
from pipelines.report.figure import FULL, Figure, draw

RUN = "xmic-official-clips-s0-1a2b3c4d"


def _drawn(workspace: Workspace, evaluated: Callable[..., Path], *made: dict) -> Figure:
    evaluated(*made)
    return draw(collect(workspace).rows)


def test_bars_are_as_long_as_their_share_of_the_axis(
    workspace: Workspace, evaluated: Callable[..., Path], metrics: Callable[..., dict]
) -> None:
    noun, verb = _drawn(workspace, evaluated, metrics()).panels
    assert noun.groups[0].bars[0].length == FULL * 25 / 50
    assert verb.groups[0].bars[0].length == FULL
    assert noun.ticks == [(0, "0 %"), (FULL / 2, "25 %"), (FULL, "50 %")]


@pytest.mark.parametrize(
    ("top1", "limit"), [(0.0, "5 %"), (5.0, "5 %"), (5.01, "10 %"), (50.1, "100 %"), (100.0, "100 %")]
)
def test_the_axis_ends_at_the_first_round_number_that_holds_all_bars(
    workspace: Workspace, evaluated: Callable[..., Path], metrics: Callable[..., dict], top1: float, limit: str
) -> None:
    made = metrics()
    made["labels"]["noun"]["top1"] = top1
    panel = _drawn(workspace, evaluated, made).panels[0]
    assert panel.ticks[-1][1] == limit
    assert panel.groups[0].bars[0].length <= FULL


def test_the_run_s_own_dataset_is_one_bar_however_many_cross_targets_there_are(
    workspace: Workspace, evaluated: Callable[..., Path], metrics: Callable[..., dict]
) -> None:
    figure = _drawn(workspace, evaluated, metrics(), metrics("ego4d"), metrics("epic"))
    (group,) = figure.panels[0].groups
    assert [(bar.kind, bar.place) for bar in group.bars] == [
        ("within", "clips val"),
        ("cross", "ego4d val"),
        ("cross", "epic val"),
    ]


def test_the_description_says_every_bar_in_words(
    workspace: Workspace, evaluated: Callable[..., Path], metrics: Callable[..., dict]
) -> None:
    made = metrics()
    made["labels"]["noun"]["n_evaluated"] = 3
    figure = _drawn(workspace, evaluated, made)
    assert figure.description == (f"noun, {RUN}, within clips val: 25.00* %; verb, {RUN}, within clips val: 50.00 %")


def test_a_label_nobody_trained_has_no_panel_and_no_run_an_empty_group(
    workspace: Workspace, evaluated: Callable[..., Path], metrics: Callable[..., dict]
) -> None:
    only_noun, nothing = metrics(), metrics(run="a-run-without-heads", labels={})
    del only_noun["labels"]["verb"]
    figure = _drawn(workspace, evaluated, only_noun, nothing)
    (panel,) = figure.panels
    assert (panel.label, [group.run for group in panel.groups]) == ("noun", [RUN])


def test_nothing_overlaps_and_everything_is_inside(
    workspace: Workspace, evaluated: Callable[..., Path], metrics: Callable[..., dict]
) -> None:
    figure = _drawn(workspace, evaluated, metrics(), metrics("epic"), metrics(run="b"), metrics("epic", run="b"))
    tops = [bar.y for panel in figure.panels for group in panel.groups for bar in group.bars]
    assert all(after - before >= 14 for before, after in zip(tops, tops[1:], strict=False))
    assert max(tops) < figure.height


def test_a_long_run_name_keeps_its_start_and_its_key(
    workspace: Workspace, evaluated: Callable[..., Path], metrics: Callable[..., dict]
) -> None:
    name = "xmic-official-" + "long-" * 12 + "s0-1a2b3c4d"
    shown = _drawn(workspace, evaluated, metrics(run=name)).panels[0].groups[0].run
    assert len(shown) <= 44
    assert shown.startswith("xmic-official-")
    assert shown.endswith("-s0-1a2b3c4d")
