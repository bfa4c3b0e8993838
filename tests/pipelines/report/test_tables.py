from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.engine.workspace import Workspace
from pipelines.report.collect import collect
from pipelines.report.tables import Section, Table, TableRow, Tables, tables_of
from tests.pipelines.report.evaluations import both, evaluation

Put = Callable[..., Path]


def _tables(workspace: Workspace, evaluated: Put, *made: dict[str, Any]) -> Tables:
    evaluated(*made)
    return tables_of(collect(workspace), workspace)


def _table(tables: Tables, number: int) -> Table:
    return next(table for table in tables.tables if table.number == number)


def _row(section: Section, title: str) -> TableRow:
    return next(row for row in section.rows if row.title == title)


def test_runs_that_differ_in_the_seed_only_are_one_row(workspace: Workspace, evaluated: Put) -> None:
    made = [one for seed, right in ((0, 3), (1, 4), (2, 5)) for one in both(seed=seed, right=right)]
    (section,) = _table(_tables(workspace, evaluated, *made), 1).sections
    cell = _row(section, "xmic official").cells["noun within"]
    assert (cell.value, cell.sd, cell.evaluated, cell.few) == (40.0, 10.0, 40_000, False)
    assert _row(section, "xmic official").seeds == [0, 1, 2]
    assert cell.interval == (30.0, 50.0)  # every recording is alike: only the seeds move it


def test_the_paper_s_numbers_and_the_difference_stand_beside_ours(workspace: Workspace, evaluated: Put) -> None:
    (section,) = _table(_tables(workspace, evaluated, *both()), 1).sections
    cell = _row(section, "xmic official").cells["noun cross"]
    assert cell.paper_text == "15.35"
    assert cell.difference == pytest.approx(30.0 - 15.35)


@pytest.mark.parametrize(
    "change",
    [
        {"classes": (28, 13)},
        {"random_weights": ["vit"]},
        {"mixed": [{"what": "precision", "run": "bf16", "target": "fp32"}]},
        {"clips_file": {"sha256": "ab" * 32, "clips": 400}},
        {"protocol": {"encoder_spec": "pocket"}},
        {"run": {"recipe": "custom", "changed_recipe": {"epochs": 2}}},
    ],
)
def test_what_is_not_the_same_thing_is_not_compared_with_the_paper(
    workspace: Workspace, evaluated: Put, change: dict[str, Any]
) -> None:
    (section,) = _table(_tables(workspace, evaluated, *both(**change)), 1).sections
    ours = [row for row in section.rows if row.kind == "ours"]
    assert len(ours) == 1
    assert not any(cell.paper for row in ours for cell in row.cells.values())


def test_a_cell_without_all_of_its_clips_is_marked_and_not_compared(workspace: Workspace, evaluated: Put) -> None:
    within, cross = both()
    cross["labels"]["noun"]["n_official"] = 40_001
    (section,) = _table(_tables(workspace, evaluated, within, cross), 1).sections
    cells = _row(section, "xmic official").cells
    assert (cells["noun cross"].text, cells["noun cross"].paper) == ("30.00*", None)
    assert (cells["noun hm"].text, cells["noun hm"].paper) == ("30.00*", None)
    assert cells["noun within"].paper is not None


def test_a_workspace_with_other_datasets_has_the_same_tables_without_the_paper(
    workspace: Workspace, evaluated: Put
) -> None:
    made = [evaluation(source="mine", target=target) for target in ("mine", "other")]
    tables = _tables(workspace, evaluated, *made)
    assert [table.number for table in tables.tables] == [1, 2]
    assert not any(section.paper for table in tables.tables for section in table.sections)
    assert _row(_table(tables, 1).sections[0], "xmic official").cells["noun hm"].value == pytest.approx(30.0)


def test_a_wrong_harmonic_mean_of_the_paper_is_marked_with_the_right_one(workspace: Workspace, evaluated: Put) -> None:
    made = [evaluation(target=target) for target in ("ego4d", "egtea")]
    tables = _tables(workspace, evaluated, *made)
    (section,) = _table(tables, 3).sections
    cell = _row(section, "xmic official").cells["noun hm"]
    assert cell.paper_text == "31.21 ! 31.23"
    assert cell.difference == pytest.approx(30.0 - 31.23, abs=0.01)
    assert all(table.number != 1 for table in tables.tables)


def test_rows_of_the_paper_without_a_run_say_what_trains_them(workspace: Workspace, evaluated: Put) -> None:
    (section,) = _table(_tables(workspace, evaluated, *both()), 1).sections
    row = _row(section, "coop")
    assert (row.kind, row.commands) == ("missing", ["xmic train ego4d --method coop"])
    assert (row.cells["noun within"].text, row.cells["noun within"].paper_text) == ("–", "28.22")
    order = [row.title for row in section.rows if row.kind != "reference"]
    assert order.index("zero-shot") < order.index("coop") < order.index("xmic official") < order.index("xmic, v2=dino")


def test_an_empty_cell_of_a_run_names_the_command(workspace: Workspace, evaluated: Put) -> None:
    made = [*both(), evaluation("coop", target="ego4d")]
    (section,) = _table(_tables(workspace, evaluated, *made), 1).sections
    assert _row(section, "coop official").commands == ["xmic evaluate coop-ego4d-s0 --cross epic"]


def test_reference_rows_stand_below_the_methods_and_an_oracle_is_called_one(
    workspace: Workspace, evaluated: Put
) -> None:
    (section,) = _table(_tables(workspace, evaluated, *both()), 1).sections
    references = [row for row in section.rows if row.kind == "reference"]
    assert [row.title for row in references] == ["chance", "target majority (oracle)"]
    assert section.rows[-2:] == references
    assert references[1].cells["verb hm"].value == pytest.approx(20.0)


def test_shared_and_novel_stand_restricted_and_not(workspace: Workspace, evaluated: Put) -> None:
    (section,) = _table(_tables(workspace, evaluated, *both()), 2).sections
    cells = _row(section, "xmic official").cells
    assert [cells[f"noun {kind}"].value for kind in ("shared", "novel", "all shared", "all novel")] == [30, 20, 20, 10]
    assert cells["noun shared-novel hm"].value == pytest.approx(24.0)
    assert cells["noun novel called shared"].value == 50.0
    assert (cells["noun shared"].few, cells["noun novel"].few) == (False, True)
    assert cells["noun shared"].paper_text == "20.04"


@pytest.mark.parametrize(
    ("number", "how", "title"),
    [
        (4, {"protocol": {"streams": "full"}}, "xmic official, streams=full"),
        (5, {"protocol": {"encoder_spec": "open_clip:ViT-L-14/openai"}}, "xmic official, encoder=CLIP ViT-L/14"),
        (6, {"run": {"changed_settings": {"n1": False, "n3": True}}}, "xmic official, norms=n3"),
        (7, {"protocol": {"prompt": "Image of a {}"}}, "xmic official, prompt=Image of a {}"),
    ],
)
def test_a_table_that_varies_a_setting_begins_with_its_second_value(
    workspace: Workspace, evaluated: Put, number: int, how: dict[str, Any], title: str
) -> None:
    tables = _tables(workspace, evaluated, *both())
    assert f"Table {number} " in " ".join(gap.why for gap in tables.unbegun)
    how["run"] = {"name": "another", **how.get("run", {})}
    tables = _tables(workspace, evaluated, *both(**how))
    (section,) = _table(tables, number).sections
    assert _row(section, title).cells["noun within"].value == 30.0
    elsewhere = {table.number for table in tables.tables if title in _titles(table)}
    assert elsewhere == {number}


def _titles(table: Table) -> list[str]:
    return [row.title for section in table.sections for row in section.rows if row.kind == "ours"]


def test_methods_are_compared_with_xmic_and_corrected_over_the_table(workspace: Workspace, evaluated: Put) -> None:
    made = [*both(), *both("coop", right=5)]
    for one in made[2:]:
        for label in one["labels"].values():
            for name, counts in label["recordings"].items():
                counts[0] += 50 if int(name[1:]) % 2 else -50
    (section,) = _table(_tables(workspace, evaluated, *made), 1).sections
    assert [(one.title, one.against) for one in section.compared] == [("coop official", "xmic official")] * 6
    first = section.compared[0]
    assert (first.column, first.difference) == ("noun within", pytest.approx(20.0))
    assert first.interval == pytest.approx((18.5, 21.5))
    assert first.p is not None
    assert first.corrected == pytest.approx(6 * first.p)


def test_a_difference_without_spread_has_no_interval_and_takes_no_part_in_the_correction(
    workspace: Workspace, evaluated: Put
) -> None:
    (section,) = _table(_tables(workspace, evaluated, *both(), *both("coop", right=5)), 1).sections
    first = section.compared[0]
    assert (first.difference, first.between) == (pytest.approx(20.0), "no interval")
    assert first.p_values == ("–", "–")


def test_chance_has_no_interval_and_is_not_few(workspace: Workspace, evaluated: Put) -> None:
    (section,) = _table(_tables(workspace, evaluated, *both()), 1).sections
    rows = {row.title: row.cells for row in section.rows if row.kind == "reference"}
    chance = rows["chance"]["noun within"]
    assert (chance.value, chance.interval, chance.between, chance.few) == (10.0, None, "", False)
    assert rows["target majority (oracle)"]["noun within"].between.endswith(" w")


def test_runs_on_other_clips_are_said_not_to_be_compared(workspace: Workspace, evaluated: Put) -> None:
    made = [*both(), *both("coop")]
    for one in made[2:]:
        for label in one["labels"].values():
            label["recordings"].pop("v0")
    (section,) = _table(_tables(workspace, evaluated, *made), 1).sections
    assert {one.difference for one in section.compared} == {None}


def test_a_control_of_the_vector_is_in_no_table(workspace: Workspace, evaluated: Put) -> None:
    tables = _tables(workspace, evaluated, *both(xmic_vector="zero"))
    assert tables.tables == []


def test_an_evaluation_over_a_list_of_clips_is_a_section_of_its_own(workspace: Workspace, evaluated: Put) -> None:
    listed = both(run={"name": "listed"}, clips_file={"sha256": "ab" * 32, "clips": 400})
    sections = _table(_tables(workspace, evaluated, *both(), *listed), 1).sections
    titles = [section.title for section in sections]
    assert titles[0] == "trained on ego4d, evaluated on ego4d val and epic val, over the clips of abababab"
    assert titles[1] == "trained on ego4d, evaluated on ego4d val and epic val"
