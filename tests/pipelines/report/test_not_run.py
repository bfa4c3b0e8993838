from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipelines.engine.workspace import Workspace
from pipelines.report.collect import collect
from pipelines.report.headlines import headlines
from pipelines.report.not_run import NotRun, empty, not_run
from pipelines.report.tables import tables_of
from tests.pipelines.report.evaluations import both

Put = Callable[..., Path]


def _listed(workspace: Workspace, evaluated: Put, *made: dict) -> list[NotRun]:
    evaluated(*made)
    found = collect(workspace)
    return not_run(found, tables_of(found, workspace), headlines(found.evaluations))


def test_every_command_is_listed_once(workspace: Workspace, evaluated: Put) -> None:
    listed = _listed(workspace, evaluated, *both(), *both("zero-shot"))
    commands = [command for item in listed for command in item.commands]
    # CoCoOp lacks in Tables 1 and 2, and one training fills both.
    assert commands.count("xmic train ego4d --method cocoop") == 1
    assert len({tuple(item.commands) for item in listed}) == len(listed)


def test_commands_that_follow_each_other_are_apart(workspace: Workspace, evaluated: Put) -> None:
    listed = _listed(workspace, evaluated, *both(), *both("zero-shot"))
    (encoders,) = (item for item in listed if "Table 5" in item.why)
    (both_of_them,) = encoders.commands
    embed, train = both_of_them.split(" && ")
    assert embed.startswith("xmic embed --encoder open_clip:ViT-L-14/openai")
    assert train.startswith("xmic train ego4d --encoder open_clip:ViT-L-14/openai")


def test_zero_shot_is_named_where_nothing_is_compared_with_it(workspace: Workspace, evaluated: Put) -> None:
    first = _listed(workspace, evaluated, *both())[0]
    assert first == NotRun(
        "no run is compared with zero-shot", ["xmic train ego4d --method zero-shot", "xmic evaluate"]
    )


def test_a_row_with_a_number_of_ours_or_the_paper_s_is_not_empty(workspace: Workspace, evaluated: Put) -> None:
    evaluated(*both())
    table = tables_of(collect(workspace), workspace).tables[0]
    rows = {row.title: row for row in table.sections[0].rows}
    assert not empty(rows["xmic official"], table.columns)
    assert not empty(rows["cocoop"], table.columns)  # the paper has its numbers


def test_a_row_without_any_number_is_empty(workspace: Workspace, evaluated: Put) -> None:
    drawn = [made | {"labels": {"noun": {**made["labels"]["noun"], "classes": 9}}} for made in both()]
    evaluated(*drawn)
    table = tables_of(collect(workspace), workspace).tables[0]
    rows = {row.title: row for row in table.sections[0].rows}
    assert empty(rows["cocoop"], table.columns)
    verbs = [column for column in table.columns if column.label == "verb"]
    assert empty(rows["xmic official"], verbs)
    assert not empty(rows["xmic official"], table.columns)
