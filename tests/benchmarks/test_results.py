from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.results import Results, result_name, results_of
from data_manifests.errors import InputError

MADE = {"frozen": "f" * 64, "size": "demo"}


def test_a_result_is_json_with_what_it_was_made_under(tmp_path: Path) -> None:
    results = Results(tmp_path, MADE)
    results.write(result_name(3, "epic", "xmic"), {"labels": {}})
    assert json.loads((tmp_path / "seed-3" / "epic" / "xmic.json").read_text()) == {"made": MADE, "labels": {}}
    assert results.read(result_name(3, "epic", "xmic")) == {"labels": {}}
    assert results.read(result_name(3, "epic", "zero-shot-hand")) is None


@pytest.mark.parametrize("other", [{**MADE, "size": "full"}, {**MADE, "threads": 2}])
def test_a_result_made_under_something_else_is_refused(tmp_path: Path, other: dict[str, object]) -> None:
    Results(tmp_path, MADE).write("one", {})
    with pytest.raises(InputError, match="made with (size demo, here it is full|threads None, here it is 2)"):
        Results(tmp_path, other).read("one")


def test_what_a_folder_was_made_under_is_read_from_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no result to report. Run make it"):
        results_of(tmp_path, "make it")
    Results(tmp_path, MADE).write("a/b", {"seconds": 1})
    found = results_of(tmp_path, "make it")
    assert found.made == MADE
    assert found.read("a/b") == {"seconds": 1}
