from __future__ import annotations

import pytest

from pipelines.evaluate.folders import folder_name, parse_folder_name


@pytest.mark.parametrize(("vectors", "name"), [("own", "run-1"), ("mean", "run-1@mean")])
def test_a_control_has_a_folder_of_its_own_that_says_what_it_is(vectors: str, name: str) -> None:
    assert folder_name("run-1", vectors) == name
    assert parse_folder_name(name) == ("run-1", vectors)
