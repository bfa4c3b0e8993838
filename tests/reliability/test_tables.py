"""A sample of the fuzz of all readers; python -m tests.reliability.fuzz_tables runs more of it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from data_manifests.readers import SplitRows
from data_manifests.readers.epic import EpicReader
from tests.reliability.fuzz_tables import CASES, Case, run_case

_MUTANTS = 60


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_row_becomes_a_clip_or_a_reject_or_the_file_is_refused(case: Case, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = run_case(case, _MUTANTS, 0, tmp_path / "work")
    assert found.bugs == []
    assert (found.read > 0, found.refused > 0, found.tried) == (True, True, _MUTANTS)
    assert (found.counted > 0) == (case.count is not None)


def test_a_reader_that_loses_a_row_is_noticed(tmp_path: Path) -> None:
    class Losing(EpicReader):
        def read(self, split: str) -> SplitRows:
            found = super().read(split)
            kept: Sequence[tuple[str, int]] = found.origins[1:]
            clips: pa.Table = found.clips.slice(1)
            return replace(found, clips=clips, origins=kept)

    losing = replace(CASES[0], open=lambda file: Losing(file.parent))
    with pytest.raises(Exception, match="8 rows became 7 clips and 0 rejects"):
        run_case(losing, 1, 0, tmp_path / "work")
