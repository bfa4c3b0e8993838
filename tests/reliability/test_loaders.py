"""A sample of the fuzz of all loaders; python -m tests.reliability.fuzz_loaders runs more of it."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from data_manifests.errors import InputError
from tests.reliability.fuzz_loaders import CASES, Case, run_case

_MUTANTS = 40


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_damaged_file_is_read_or_refused_and_nothing_else(case: Case, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = run_case(case, _MUTANTS, 0, tmp_path / "work")
    assert found.bugs == []
    assert found.read + found.refused == _MUTANTS
    assert found.refused


def test_another_exception_of_a_loader_is_counted_and_its_file_kept(tmp_path: Path) -> None:
    def make(folder: Path) -> Path:
        (folder / "a.txt").write_text("good")
        return folder / "a.txt"

    def load(file: Path) -> None:
        content = file.read_bytes()
        if len(content) < 4:
            raise InputError("too short")
        if content != b"good":
            raise KeyError("surprise")

    found = run_case(Case("mine", make, load), 60, 0, tmp_path / "work")
    assert found.bugs
    assert found.refused
    assert all("KeyError: 'surprise'" in bug for bug in found.bugs)
    assert len(list(tmp_path.glob("mine-*.txt"))) == len(found.bugs)
