from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from data_manifests.errors import InputError, TooManyFailures
from data_manifests.readers.epic import EpicReader
from data_manifests.schema import REJECTS
from pipelines.engine.shards import read_rows
from pipelines.engine.workspace import Workspace
from pipelines.prepare.rejected import MAX_REJECTS, first_of_each, refuse_too_many
from pipelines.prepare.stage import prepare
from tests.data_manifests.epic_files import row, write_epic


def _rejects(*reasons: str) -> pa.Table:
    rows = [
        {"file": "x.csv", "row": number, "clip_id": None, "reason": reason, "detail": f"detail {number}"}
        for number, reason in enumerate(reasons, start=2)
    ]
    return pa.Table.from_pylist(rows, schema=REJECTS)


def _refused(rejects: pa.Table, rows: int, limit: int | float = MAX_REJECTS) -> str | None:
    try:
        refuse_too_many("mine val", rejects, rows, limit, "work/rejects.parquet")
    except TooManyFailures as error:
        return str(error)
    return None


def test_the_first_reject_of_each_reason_is_shown() -> None:
    assert first_of_each(_rejects("bad_time", "unsafe_path", "bad_time")) == {
        "bad_time": {"file": "x.csv", "row": 2, "detail": "detail 2"},
        "unsafe_path": {"file": "x.csv", "row": 3, "detail": "detail 3"},
    }


def test_more_than_half_or_all_are_too_many() -> None:
    two = _rejects("bad_time", "unsafe_path")
    assert _refused(_rejects(), 0) is _refused(two, 4) is None
    assert _refused(two, 3) == (
        "mine val: 2 of 3 rows are rejected (1 bad_time, 1 unsafe_path); --max-failures allows 50 %. The first is "
        "x.csv, row 2: detail 2. All are in work/rejects.parquet; the rest of the manifest is written."
    )
    assert _refused(two, 3, 0.9) is None
    assert "--max-failures allows 100 %, and never all. The first" in str(_refused(two, 2, 1.0))


def test_a_number_of_rows_is_a_limit_too() -> None:
    assert _refused(_rejects("bad_time", "bad_time"), 100, 2) is None
    assert "--max-failures allows 1. " in str(_refused(_rejects("bad_time", "bad_time"), 100, 1))


def test_what_the_dataset_blanked_itself_is_not_held_against_it() -> None:
    assert _refused(_rejects("redacted", "redacted"), 3) is None


def test_the_manifests_are_written_before_too_many_rejects_are_an_error(tmp_path: Path) -> None:
    bad = [row(f"P90_01_{number}", start_timestamp="soon") for number in range(2)]
    folder = write_epic(tmp_path / "csv", {"train": [*bad, row("P90_01_9")], "val": [row("P91_01_0")]})
    for limit in (None, 1):
        with pytest.raises(TooManyFailures, match=r"epic train: 2 of 3 rows .* row 2: 'soon' to '00:00:03\.25'"):
            prepare(Workspace.open(tmp_path / "work"), "epic", EpicReader(folder), [], limit=limit)
    manifests = tmp_path / "work/manifests/epic"
    assert read_rows(manifests / "train/rejects.parquet").num_rows == 2
    assert read_rows(manifests / "val/clips.parquet").num_rows == 1
    found = prepare(Workspace.open(tmp_path / "work"), "epic", EpicReader(folder), [], max_failures=2)
    assert (found.clips, found.rejects) == (2, 2)


def test_a_split_without_a_row_is_refused(tmp_path: Path) -> None:
    folder = write_epic(tmp_path / "csv", {"val": []})
    with pytest.raises(InputError, match=r"split val: no row in .*EPIC_100_validation\.csv, .*; expected at least one"):
        prepare(Workspace.open(tmp_path / "work"), "epic", EpicReader(folder), [])
    assert not (tmp_path / "work").exists()
