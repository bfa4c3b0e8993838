from __future__ import annotations

import csv
import io

import pytest

from pipelines.engine.csv_text import csv_text


@pytest.mark.parametrize("cell", ['=HYPERLINK("http://x")', "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_cell_that_a_spreadsheet_would_run_is_text(cell: str) -> None:
    text = csv_text(["name", "other"], [[cell, "jar"]])
    assert list(csv.reader(io.StringIO(text, newline=""))) == [["name", "other"], ["'" + cell, "jar"]]


def test_numbers_names_and_unknown_values_stay_as_they_are() -> None:
    text = csv_text(["number", "name", "unknown"], [[-1.5, 'tea, "green" = good', None]])
    assert text == 'number,name,unknown\n-1.5,"tea, ""green"" = good",\n'


def test_a_head_that_a_spreadsheet_would_run_is_text() -> None:
    assert csv_text(["=1"], []) == "'=1\n"
