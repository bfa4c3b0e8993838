from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

from pipelines.engine.workspace import Workspace
from pipelines.report.collect import collect
from pipelines.report.table_values import table_lines, table_values
from pipelines.report.tables import Table, tables_of
from tests.pipelines.report.evaluations import both

Put = Callable[..., Path]


def _first(workspace: Workspace, evaluated: Put) -> Table:
    evaluated(*both(), *both("coop", right=5))
    return tables_of(collect(workspace), workspace).tables[0]


def test_a_line_of_csv_is_one_number_with_everything_about_it(workspace: Workspace, evaluated: Put) -> None:
    table = _first(workspace, evaluated)
    lines = list(csv.DictReader(table_lines(table).splitlines()))
    assert len(lines) == sum(len(section.rows) for section in table.sections) * 6
    line = next(
        line for line in lines if (line["row"], line["label"], line["number"]) == ("xmic official", "noun", "cross")
    )
    wanted = {"source": "ego4d", "cross": "epic val", "kind": "ours", "seeds": "0", "percent": "30.0", "few": "0"}
    wanted |= {"n_evaluated": "40000", "n_official": "40000", "paper": "15.35", "paper_recomputed": ""}
    wanted |= {"interval_kind": "wilson"}
    assert {name: line[name] for name in wanted} == wanted
    missing = next(line for line in lines if line["row"] == "cocoop")
    assert (missing["percent"], missing["n_evaluated"]) == ("", "")
    assert missing["commands"] == "xmic train ego4d --method cocoop"


def test_json_has_the_cells_by_name_and_the_comparisons(workspace: Workspace, evaluated: Put) -> None:
    said = json.loads(json.dumps(table_values(_first(workspace, evaluated))))
    (section,) = said["sections"]
    assert (said["table"], section["within"], section["cross"]) == (1, "ego4d val", "epic val")
    row = next(row for row in section["rows"] if row["row"] == "xmic official")
    assert (row["cells"]["noun within"]["percent"], row["seeds"]) == (30.0, [0])
    assert section["comparisons"][0]["against"] == "xmic official"
