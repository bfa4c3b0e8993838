from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.engine.digest import (
    FileDigests,
    canonical_json,
    digest_groups,
    digest_json,
    digest_table,
    head_and_tail_sha256,
    listing_sha256,
    whole_file_sha256,
)
from pipelines.engine.file_memory import FileMemory

_SCHEMA = pa.schema(
    [
        ("video_id", pa.string()),
        ("start_s", pa.float64()),
        ("noun_class", pa.int32()),
        ("all_noun_classes", pa.list_(pa.int32())),
        ("flag", pa.bool_()),
        ("jpeg", pa.binary()),
    ]
)
_ROW = st.fixed_dictionaries(
    {
        "video_id": st.sampled_from(["a", "b", "ü", ""]),
        "start_s": st.none() | st.floats(0, 1e6),
        "noun_class": st.none() | st.integers(-(2**31), 2**31 - 1),
        "all_noun_classes": st.none() | st.lists(st.none() | st.integers(0, 300), max_size=3),
        "flag": st.none() | st.booleans(),
        "jpeg": st.none() | st.binary(max_size=5),
    }
)
_ROWS = st.lists(_ROW, min_size=1, max_size=12)
_quick = settings(max_examples=40, deadline=None)


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


@_quick
@given(rows=_ROWS, cuts=st.lists(st.integers(0, 12), max_size=4))
def test_chunking_does_not_change_a_tables_digest(rows: list[dict[str, Any]], cuts: list[int]) -> None:
    table = _table(rows)
    bounds = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    pieces = [_table(rows[a:b]) for a, b in zip(bounds, bounds[1:], strict=False)]
    chunked = pa.concat_tables(pieces)
    assert digest_table(chunked) == digest_table(table)


@_quick
@given(before=_ROWS, rows=_ROWS, after=_ROWS)
def test_a_slice_of_a_longer_table_has_the_digest_of_its_own_rows(
    before: list[dict[str, Any]], rows: list[dict[str, Any]], after: list[dict[str, Any]]
) -> None:
    sliced = _table(before + rows + after).slice(len(before), len(rows))
    assert digest_table(sliced) == digest_table(_table(rows))


@_quick
@given(rows=_ROWS)
def test_rows_have_the_same_digest_after_a_round_trip_through_parquet(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    file = tmp_path_factory.mktemp("digest") / "rows.parquet"
    table = _table(rows).drop_columns(["all_noun_classes"])
    pq.write_table(table, file)
    assert digest_table(pq.read_table(file)) == digest_table(table)


@_quick
@given(rows=_ROWS, index=st.integers(0, 11), other=_ROW)
def test_another_row_gives_another_digest(rows: list[dict[str, Any]], index: int, other: dict[str, Any]) -> None:
    changed = [*rows]
    changed[index % len(rows)] = other
    assert (digest_table(_table(changed)) == digest_table(_table(rows))) == (changed == rows)
    assert digest_table(_table([*rows, other])) != digest_table(_table(rows))


@_quick
@given(rows=_ROWS, index=st.integers(0, 11), start=st.floats(2e6, 3e6))
def test_a_changed_row_changes_the_digest_of_its_group_only(
    rows: list[dict[str, Any]], index: int, start: float
) -> None:
    victim = rows[index % len(rows)]
    changed = [{**row, "start_s": start} if row is victim else row for row in rows]
    old, new = (digest_groups(_table(part), "video_id", _SCHEMA.names) for part in (rows, changed))
    assert {group for group in old if old[group] != new[group]} == {victim["video_id"]}
    assert old.keys() == new.keys()


@_quick
@given(data=st.data(), rows=_ROWS)
def test_the_order_of_other_groups_does_not_change_a_groups_digest(
    data: st.DataObject, rows: list[dict[str, Any]]
) -> None:
    order = data.draw(st.permutations(sorted({row["video_id"] for row in rows})))
    regrouped = [row for group in order for row in rows if row["video_id"] == group]
    columns = ["start_s", "noun_class", "all_noun_classes"]
    old, new = (digest_groups(_table(part), "video_id", columns) for part in (rows, regrouped))
    assert old == new
    for group in order:
        alone = [row for row in rows if row["video_id"] == group]
        assert digest_groups(_table(alone), "video_id", columns) == {group: old[group]}


@_quick
@given(rows=_ROWS, at=st.integers(0, 11))
def test_a_groups_digest_is_that_of_its_rows_however_the_table_is_chunked(rows: list[dict[str, Any]], at: int) -> None:
    table = _table(rows)
    found = digest_groups(pa.concat_tables([table.slice(0, at), table.slice(at)]), "video_id", _SCHEMA.names)
    assert found == {
        group: digest_table(_table([row for row in rows if row["video_id"] == group]))
        for group in {row["video_id"] for row in rows}
    }


@_quick
@given(rows=_ROWS)
def test_columns_that_are_not_asked_for_do_not_reach_a_groups_digest(rows: list[dict[str, Any]]) -> None:
    changed = [{**row, "jpeg": b"other"} for row in rows]
    columns = ["video_id", "start_s"]
    old, new = (digest_groups(_table(part), "video_id", columns) for part in (rows, changed))
    assert old == new


def test_what_lies_under_a_null_does_not_reach_the_digest() -> None:
    masked = pa.table({"x": pa.array(np.array([1, 2, 3]), mask=np.array([False, True, False]))})
    assert digest_table(masked) == digest_table(pa.table({"x": pa.array([1, None, 3])}))


def test_order_of_rows_names_and_types_count_but_metadata_does_not() -> None:
    table = pa.table({"x": pa.array([1, 2], pa.int32())})
    assert digest_table(pa.table({"x": pa.array([2, 1], pa.int32())})) != digest_table(table)
    assert digest_table(pa.table({"y": pa.array([1, 2], pa.int32())})) != digest_table(table)
    assert digest_table(pa.table({"x": pa.array([1, 2], pa.int64())})) != digest_table(table)
    assert digest_table(table.replace_schema_metadata({"made by": "someone"})) == digest_table(table)
    assert digest_table(table.slice(0, 0)) != digest_table(table)


def test_the_digest_of_a_value_is_the_sha256_of_its_canonical_json() -> None:
    text = b'{"a":"\xc3\xbc","b":[1,2.5,null]}'
    assert digest_json({"b": [1, 2.5, None], "a": "ü"}) == hashlib.sha256(text).hexdigest()


def test_canonical_json_sorts_keys_at_every_depth_and_refuses_nan() -> None:
    assert canonical_json({"b": {"d": 1, "c": (2,)}, "a": None}) == '{"a":null,"b":{"c":[2],"d":1}}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"x": float("nan")})


_MIB = 1 << 20


def test_the_listing_of_a_folder_changes_with_its_names_and_with_its_first_and_last_file(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    first = listing_sha256(tmp_path)
    assert listing_sha256(tmp_path) == first
    (tmp_path / "c.jpg").write_bytes(b"other")
    changed = listing_sha256(tmp_path)
    (tmp_path / "d.jpg").touch()
    assert len({first, changed, listing_sha256(tmp_path)}) == 3


@pytest.mark.parametrize("size", [0, 1, _MIB - 1, _MIB, _MIB + 1, 2 * _MIB - 1, 2 * _MIB, 2 * _MIB + 5])
def test_head_and_tail_cover_each_byte_of_a_small_file_once(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    file = tmp_path / "video.mp4"
    file.write_bytes(content)
    expected = content if size <= 2 * _MIB else content[:_MIB] + content[-_MIB:]
    assert head_and_tail_sha256(file) == hashlib.sha256(expected).hexdigest()
    assert whole_file_sha256(file) == hashlib.sha256(content).hexdigest()


def test_a_file_is_read_once_until_its_size_or_time_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, cache = tmp_path / "video.mp4", tmp_path / "cache" / "digests.jsonl"
    file.write_bytes(b"one")
    first = FileDigests(FileMemory(cache)).whole(file)
    assert first == hashlib.sha256(b"one").hexdigest()
    assert FileDigests(FileMemory(cache)).head_and_tail(file) == first
    reads: list[Path] = []

    def read(path: Path) -> str:
        reads.append(path)
        return "read again"

    monkeypatch.setattr("pipelines.engine.digest.whole_file_sha256", read)
    assert FileDigests(FileMemory(cache)).whole(file) == first
    os.utime(file, ns=(1, 1))
    known = FileDigests(FileMemory(cache))
    assert known.whole(file) == known.whole(file) == "read again"
    file.write_bytes(b"four")
    os.utime(file, ns=(1, 1))
    assert FileDigests(FileMemory(cache)).whole(file) == "read again"
    assert reads == [file, file]


def test_a_damaged_cache_costs_time_and_nothing_else(tmp_path: Path) -> None:
    file, cache = tmp_path / "video.mp4", tmp_path / "digests.jsonl"
    file.write_bytes(b"one")
    right = FileDigests(FileMemory(cache)).whole(file)
    lines = [
        b'["whole", "/x", 1',
        b"7",
        b"null",
        b'["a", "b"]',
        json.dumps([["l"], "p", 1, 1, "v"]).encode(),
        b"\xff\xfe",
    ]
    cache.write_bytes(b"\n".join(lines) + b"\n")
    assert FileDigests(FileMemory(cache)).whole(file) == right
    assert FileDigests(FileMemory(cache)).whole(file) == right
