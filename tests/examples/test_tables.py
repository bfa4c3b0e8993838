"""The ablation grids of the paper's tables are read as their first lines say."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.chain.grid import read_cells
from pipelines.chain.run import check_settings

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("table*.toml")), ids=lambda file: file.stem)
def test_a_table_has_the_cells_that_it_says(file):
    cells = read_cells(file)
    check_settings(cells)
    text = file.read_text()
    assert f"the {len(cells)} cells" in text
    assert f"--array=0-{len(cells) - 1}" in text
    assert text.count(f"xmic run {file.name}") == 3


def test_table_6_has_the_rows_of_the_paper():
    varied = [cell.config.train[0].set for cell in read_cells(EXAMPLES / "table6.toml")]
    rows = [{"n1"}, set(), {"n2", "n3"}, {"n1", "n2", "n3"}, {"n1", "n2"}, {"n1", "n3"}]
    assert all({name: name in row for name in ("n1", "n2", "n3")} in varied for row in rows)
