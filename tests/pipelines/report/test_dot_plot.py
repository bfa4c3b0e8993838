from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.engine.workspace import Workspace
from pipelines.report.collect import collect
from pipelines.report.dot_plot import LANES, ROW, Plot, dot_plots
from tests.pipelines.report.evaluations import both, evaluation

Put = Callable[..., Path]


def _drawn(workspace: Workspace, evaluated: Put, *made: dict) -> list[Plot]:
    evaluated(*made)
    return dot_plots(collect(workspace), workspace)


def _share(x: float) -> float:
    """Share of the axis, which begins at 1.5 % of the width and ends at 98 %."""
    return (x - 1.5) / 96.5


def test_a_row_has_its_own_dataset_above_the_other_one(workspace: Workspace, evaluated: Put) -> None:
    within, cross = both(right=3)[0], both(right=2)[1]
    (plot,) = _drawn(workspace, evaluated, within, cross)
    assert (plot.title, str(plot.within), str(plot.cross)) == ("trained on ego4d", "ego4d val", "epic val")
    noun, verb = plot.panels
    assert (noun.label, verb.label) == ("noun", "verb")
    (row,) = noun.rows
    assert [(dot.place, dot.text, dot.y) for dot in row.dots] == [
        ("within", "30.0", LANES["within"]),
        ("cross", "20.0", LANES["cross"]),
    ]
    assert [_share(dot.x) for dot in row.dots] == [pytest.approx(30 / 50), pytest.approx(20 / 50)]


def test_whiskers_are_the_interval_and_lie_inside(workspace: Workspace, evaluated: Put) -> None:
    made = evaluation()
    recordings = {f"v{number}": [number % 10, 10] for number in range(40)}
    made["labels"]["noun"] |= {"recordings": recordings, "top1": 45.0, "n_evaluated": 400, "n_official": 400}
    (plot,) = _drawn(workspace, evaluated, made)
    (dot,) = plot.panels[0].rows[0].dots
    assert 1.5 <= dot.low < dot.x < dot.high <= 98
    assert "45.0 %, 95 % interval" in dot.words
    assert "400 clips" in dot.words


def test_the_paper_s_number_is_a_tick_where_ours_may_be_compared(workspace: Workspace, evaluated: Put) -> None:
    (plot,) = _drawn(workspace, evaluated, *both(), *both("coop", run={"recipe": "matched"}))
    coop, xmic = plot.panels[0].rows
    assert plot.paper
    assert [dot.paper for dot in coop.dots] == [None, None]
    assert "paper 33.54" in xmic.dots[0].words
    assert _share(xmic.dots[0].paper or 0) == pytest.approx(33.54 / 50)


def test_another_setting_than_the_paper_s_row_has_no_tick(workspace: Workspace, evaluated: Put) -> None:
    how = {"run": {"name": "full", "changed_settings": {"n1": False}}, "protocol": {"streams": "full"}}
    (plot,) = _drawn(workspace, evaluated, *both(**how))
    assert not plot.paper
    assert plot.panels[0].rows[0].notes == "n1=False; streams=full"


def test_chance_and_majority_are_dashed_in_the_lane_of_their_target(workspace: Workspace, evaluated: Put) -> None:
    within, cross = both()
    for made, percent in ((within, 10.0), (cross, 5.0)):
        chance = made["labels"]["noun"]["references"]["chance"]
        made["labels"]["noun"]["references"]["source_majority"] = {**chance, "percent": percent} | {
            "recordings": {name: [percent / 10, 10] for name in chance["recordings"]}
        }
    (plot,) = _drawn(workspace, evaluated, within, cross)
    noun = plot.panels[0]
    assert [(dash.kind, dash.place) for dash in noun.dashes] == [
        ("chance", "within"),
        ("chance", "cross"),
        ("majority", "within"),
        ("majority", "cross"),
    ]
    assert noun.references == ["chance 10.0", "majority 10.0 within, 5.0 cross"]


def test_few_clips_are_grey(workspace: Workspace, evaluated: Put) -> None:
    within, cross = both()
    for numbers in cross["labels"].values():
        numbers["recordings"] = {"v0": [3, 10]}
    (plot,) = _drawn(workspace, evaluated, within, cross)
    assert [dot.few for dot in plot.panels[0].rows[0].dots] == [False, True]


def test_seeds_are_one_row_and_controls_none(workspace: Workspace, evaluated: Put) -> None:
    control = evaluation(frame_order="reversed", run={"name": "altered"})
    seeds = [one for seed in range(3) for one in both(seed=seed)]
    (plot,) = _drawn(workspace, evaluated, *seeds, control)
    (row,) = plot.panels[0].rows
    assert (row.name, row.notes) == ("xmic official", "3 seeds")


def test_rows_are_in_the_order_of_the_methods_and_zero_shot_is_first(workspace: Workspace, evaluated: Put) -> None:
    (plot,) = _drawn(workspace, evaluated, *both(), *both("coop"), *both("zero-shot"), *both("my.module:Mine"))
    names = [row.name for row in plot.panels[0].rows]
    assert names == ["zero-shot", "coop official", "xmic official", "my.module:Mine official"]


def test_what_all_trained_rows_have_is_said_once(workspace: Workspace, evaluated: Put) -> None:
    short = {"changed_recipe": {"epochs": 3}}
    longer = {"changed_recipe": {"epochs": 3}, "changed_settings": {"n1": False}, "name": "b"}
    (plot,) = _drawn(workspace, evaluated, *both(run=short), *both(run=longer), *both("zero-shot"))
    assert plot.notes == ["epochs=3"]
    assert [row.notes for row in plot.panels[0].rows] == ["", "n1=False", ""]


def test_rows_that_would_read_the_same_get_the_end_of_their_run_s_name(workspace: Workspace, evaluated: Put) -> None:
    (plot,) = _drawn(workspace, evaluated, *both(), *both(run={"name": "xmic-s0-1a2b3c4d"}))
    assert [row.notes for row in plot.panels[0].rows] == ["ego4d-s0", "1a2b3c4d"]


def test_rows_that_would_read_the_same_get_what_tells_their_runs_apart(
    workspace: Workspace, evaluated: Put, configured: Callable[..., None]
) -> None:
    runs = {"xmic-a-s0-11111111": {"segments": 8}, "xmic-a-s0-22222222": {"segments": 16}}
    for run, protocol in runs.items():
        configured(run, **protocol)
    (plot,) = _drawn(workspace, evaluated, *(one for run in runs for one in both(run={"name": run})))
    assert [row.notes for row in plot.panels[0].rows] == ["segments=8", "segments=16"]


def test_a_row_with_one_label_is_empty_in_the_other_panel(workspace: Workspace, evaluated: Put) -> None:
    coop = both("coop")
    for made in coop:
        del made["labels"]["verb"]
    (plot,) = _drawn(workspace, evaluated, *both(), *coop)
    noun, verb = plot.panels
    assert [row.name for row in noun.rows] == [row.name for row in verb.rows]
    assert [len(row.dots) for row in verb.rows] == [0, 2]


def test_a_label_that_nobody_trained_has_no_panel(workspace: Workspace, evaluated: Put) -> None:
    made = both()
    for one in made:
        del one["labels"]["verb"]
    (plot,) = _drawn(workspace, evaluated, *made)
    assert [panel.label for panel in plot.panels] == ["noun"]


def test_every_direction_has_a_plot(workspace: Workspace, evaluated: Put) -> None:
    back = [evaluation(source="epic", target=target) for target in ("epic", "ego4d")]
    plots = _drawn(workspace, evaluated, *both(), *back)
    assert [(plot.source, str(plot.within), str(plot.cross)) for plot in plots] == [
        ("ego4d", "ego4d val", "epic val"),
        ("epic", "epic val", "ego4d val"),
    ]


def test_the_description_says_every_dot_and_reference_in_words(workspace: Workspace, evaluated: Put) -> None:
    (plot,) = _drawn(workspace, evaluated, *both("zero-shot"))
    assert plot.panels[0].description == (
        "zero-shot, within 30.0 %, 95 % interval 18.1–45.4 w, 40,000 clips, paper 5.89; "
        "zero-shot, cross 30.0 %, 95 % interval 18.1–45.4 w, 40,000 clips, paper 8.74; chance 10.0"
    )


def test_lanes_do_not_overlap_and_lie_in_their_row() -> None:
    assert 10 <= LANES["within"] <= LANES["cross"] - 12 <= ROW - 22
