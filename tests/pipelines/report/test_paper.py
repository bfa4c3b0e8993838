from __future__ import annotations

from collections import Counter

import pytest

from data_manifests.schema import LABELS
from pipelines.methods import METHODS
from pipelines.report.paper import PaperCell, paper_cells


def find(table: int, **wanted: str) -> PaperCell:
    (cell,) = [c for c in paper_cells() if c.table == table and all(getattr(c, k) == v for k, v in wanted.items())]
    return cell


def test_every_table_is_there_in_full() -> None:
    # Rows × columns as printed: Table 6 has nouns only, Table 7 zero-shot without a harmonic mean.
    printed = {1: 9 * 12, 2: 9 * 12, 3: 8 * 6, 4: 3 * 6, 5: 6 * 6, 6: 6 * 3, 7: 6 * 10}
    assert Counter(cell.table for cell in paper_cells()) == printed


def test_a_number_stands_where_the_paper_has_it() -> None:
    # The right half of Table 1 was trained on EPIC and lists EPIC first.
    right = {"title": "X-MIC", "source": "epic", "label": "noun"}
    assert find(1, kind="within", target="epic", **right).value == 30.64
    assert find(1, kind="cross", target="ego4d", **right).value == 12.32
    assert find(2, title="CoOp", source="ego4d", label="verb", kind="novel").value == 5.97
    assert find(4, setting="streams=both", label="verb", kind="cross").value == 26.48
    assert find(6, setting="norms=n1 n3", kind="within").value == 12.12
    assert find(7, title="X-MIC", setting="prompt=Image of a {}", label="verb", kind="hm").value == 27.21


def test_three_harmonic_means_are_not_those_of_their_own_numbers() -> None:
    wrong = {(c.table, c.title, c.label): round(c.recomputed, 2) for c in paper_cells() if c.recomputed is not None}
    assert wrong == {(3, "ZS CLIP", "verb"): 3.91, (3, "X-MIC", "noun"): 31.23, (5, "X-MIC", "verb"): 16.40}


def test_the_names_are_ours() -> None:
    cells = paper_cells()
    assert {cell.label for cell in cells} == set(LABELS)
    assert {cell.source for cell in cells} == {"ego4d", "epic"}
    assert {cell.target for cell in cells} == {"ego4d", "epic", "egtea"}
    assert all(0 <= cell.value <= 100 for cell in cells)


@pytest.mark.parametrize("method", ["zero-shot", "xmic"])
def test_methods_are_called_as_on_the_command_line(method: str) -> None:
    assert method in METHODS
    assert any(cell.method == method for cell in paper_cells())
