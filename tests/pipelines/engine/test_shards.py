from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.engine import shards
from pipelines.engine.digest import canonical_json
from pipelines.engine.footer_seal import SEAL
from pipelines.engine.shards import (
    TRANSIENT,
    DamagedShard,
    footer_of_side,
    iter_rows,
    read_footer,
    read_rows,
    rows_digest,
    shard_key,
    side_path,
)
from tests.pipelines.engine.shard_files import ROWS, write, writer


def _flip_a_bit(path: Path, position: int, bit: int = 2) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(content)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
_KEYED = st.tuples(
    st.sampled_from(["decode", "embed"]),
    st.integers(1, 3),
    st.dictionaries(st.text(max_size=3), _JSON, max_size=3),
    st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3),
)


@settings(max_examples=100, deadline=None)
@given(one=_KEYED, other=_KEYED)
def test_keys_are_equal_exactly_when_stage_version_parameters_and_inputs_are(one: Any, other: Any) -> None:
    assert (shard_key(*one) == shard_key(*other)) == (canonical_json(one) == canonical_json(other))


@settings(max_examples=50, deadline=None)
@given(keyed=_KEYED, value=_JSON)
def test_each_part_alone_changes_the_key_and_the_order_of_entries_does_not(keyed: Any, value: Any) -> None:
    stage, version, params, inputs = keyed
    key = shard_key(stage, version, params, inputs)
    assert shard_key(stage, version, dict(reversed(params.items())), dict(reversed(inputs.items()))) == key
    changed = [
        shard_key(stage + "2", version, params, inputs),
        shard_key(stage, version + 1, params, inputs),
        shard_key(stage, version, {**params, "a new one": value}, inputs),
        shard_key(stage, version, params, {**inputs, "a new one": "digest"}),
        *(shard_key(stage, version, params, {**inputs, name: inputs[name] + "x"}) for name in inputs),
        *(shard_key(stage, version, {**params, name: [params[name]]}, inputs) for name in params),
        *(shard_key(stage, version, params, {n: d for n, d in inputs.items() if n != name}) for name in inputs),
    ]
    assert key not in changed


def test_the_footer_says_what_made_the_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "part-a.parquet")
    footer = read_footer(path)
    assert asdict(footer) == {
        "stage": "numbers",
        "version": 2,
        "key": shard_key("numbers", 2, {"factor": 3}, {"frames": "abc"}),
        "digest": rows_digest(path),
        "rows": 40,
        "attempted": 45,
        "failures": {"decode_error": 4, "past_end": 1},
        "params": {"factor": 3},
        "inputs": {"frames": "abc"},
        "provenance": {"encoder": "x"},
        "environment": {"torch": "2"},
        "sides": {side: rows_digest(side_path(path, side)) for side in ("notes", "failures")},
    }
    assert footer.complete
    assert read_rows(path).to_pylist() == ROWS
    assert read_rows(path, ["n"]).column_names == ["n"]
    assert read_rows(side_path(path, "failures")).to_pylist() == [
        {"video_id": "v", "clip_id": "c", "pts": 7, "reason": "past_end", "error": "too late", "rows": 1},
        {"video_id": "w", "clip_id": None, "pts": None, "reason": "decode_error", "error": "bad packet", "rows": 4},
    ]


@pytest.mark.parametrize("reason", sorted(TRANSIENT))
def test_a_shard_with_a_transient_failure_is_not_complete(tmp_path: Path, reason: str) -> None:
    with writer(tmp_path / "part-a.parquet") as shard:
        shard.fail("decode_error", "")
        shard.fail(reason, "")
    assert not read_footer(tmp_path / "part-a.parquet").complete


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_no_flipped_bit_between_header_and_footer_gives_other_rows(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = write(tmp_path_factory.mktemp("flip") / "part-a.parquet")
    rows = read_rows(path)
    footer = path.stat().st_size - 8 - pq.read_metadata(path).serialized_size
    _flip_a_bit(path, data.draw(st.integers(0, footer - 1)), data.draw(st.integers(0, 7)))
    try:
        found = read_rows(path)
    except DamagedShard:
        assert not path.exists()
    else:
        assert found == rows


def test_a_column_name_that_is_no_text_is_damage(tmp_path: Path) -> None:
    path = write(tmp_path / "part-a.parquet")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"name", b"na\xffe").replace(SEAL, b"an older version"))
    with pytest.raises(DamagedShard, match=r"not a whole Parquet file \('utf-8' codec can't decode byte 0xff"):
        read_footer(path)


def test_a_shard_without_rows_is_a_shard(tmp_path: Path) -> None:
    path = write(tmp_path / "part-a.parquet", [[]])
    assert (read_footer(path).rows, read_rows(path).num_rows, list(iter_rows(path))) == (0, 0, [])
    assert read_footer(path).digest == rows_digest(path)


def test_chosen_row_groups_are_read_and_no_others(tmp_path: Path) -> None:
    path = tmp_path / "part-a.parquet"
    pq.write_table(pa.table({"number": range(10)}), path, row_group_size=4)
    groups = [rows.column("number").to_pylist() for rows in iter_rows(path, groups=[2, 0])]
    assert groups == [[8, 9], [0, 1, 2, 3]]
    assert list(iter_rows(path, groups=[])) == []


def test_side_parts_of_a_group_stand_in_folders_and_those_of_a_single_file_beside_it() -> None:
    assert side_path(Path("x/part-b1.parquet"), "failures") == Path("x/failures/part-b1.parquet")
    assert side_path(Path("x/clips.parquet"), "rejects") == Path("x/rejects.parquet")


@pytest.mark.parametrize("keep", [0, 3, 4, 12, 0.3, 0.9, -1, -4, -8])
def test_a_truncated_shard_is_damaged(tmp_path: Path, keep: float) -> None:
    path = write(tmp_path / "part-a.parquet")
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if 0 < keep < 1 else int(keep)])
    with pytest.raises(DamagedShard) as error:
        read_footer(path)
    assert str(error.value).startswith(f"{path}: not a whole Parquet file (")
    assert error.value.exit_code == 3


def test_a_shard_that_lost_bytes_before_its_footer_is_damaged(tmp_path: Path) -> None:
    path = write(tmp_path / "part-a.parquet")
    content = path.read_bytes()
    path.write_bytes(content[:4] + content[300:])
    with pytest.raises(DamagedShard) as error:
        read_footer(path)
    assert str(error.value) == f"{path}: {len(content) - 296} bytes, shorter than its row groups say"


def test_a_file_that_xmic_did_not_write_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "part-a.parquet"
    pq.write_table(pa.table({"n": [1]}), path)
    with pytest.raises(DamagedShard) as error:
        read_footer(path)
    assert str(error.value) == f"{path}: a Parquet file that xmic did not write (no 'xmic' entry in its footer)"
    assert footer_of_side(tmp_path / "clips.parquet", "part-a") is None
    table = pa.table({"n": [1]}).replace_schema_metadata({"xmic": "[1]"})
    pq.write_table(table, path)
    with pytest.raises(DamagedShard, match=r"part-a\.parquet: its footer is not that of a shard \("):
        read_footer(path)


def test_a_side_part_in_the_place_of_a_shard_is_damaged(tmp_path: Path) -> None:
    path = write(tmp_path / "part-a.parquet")
    side_path(path, "notes").replace(path)
    with pytest.raises(DamagedShard, match=r"part-a\.parquet: its footer is not that of a shard \("):
        read_footer(path)


def test_a_footer_with_another_row_count_is_damaged(tmp_path: Path) -> None:
    path = write(tmp_path / "part-a.parquet")
    entry = canonical_json({**asdict(read_footer(path)), "rows": 39})
    pq.write_table(pq.read_table(path).replace_schema_metadata({"xmic": entry}), path)
    with pytest.raises(DamagedShard) as error:
        read_footer(path)
    assert str(error.value) == f"{path}: footer says 39 rows, the file has 40"


def test_a_missing_shard_is_not_a_damaged_one(tmp_path: Path) -> None:
    for read in (read_footer, read_rows, lambda path: list(iter_rows(path))):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "part-a.parquet")
    assert footer_of_side(tmp_path / "part-a.parquet", "notes") is None


_READERS: list[Callable[[Path], Any]] = [read_rows, lambda path: list(iter_rows(path)), rows_digest]


@pytest.mark.parametrize("read", _READERS)
def test_a_flipped_bit_in_a_page_is_caught_and_the_file_set_aside(tmp_path: Path, read: Callable[[Path], Any]) -> None:
    path = write(tmp_path / "part-a.parquet", plain=True, compression="none")
    _flip_a_bit(path, pq.read_metadata(path).row_group(1).column(1).data_page_offset + 60)
    assert read_footer(path).rows == 40
    aside = tmp_path / "part-a.parquet.damaged"
    aside.write_bytes(b"an earlier one")
    with pytest.raises(DamagedShard) as error:
        read(path)
    assert str(error.value).startswith(f"{path}: damaged on disk (")
    assert "CRC checksum verification failed" in str(error.value)
    assert str(error.value).endswith(
        ". It was renamed part-a.parquet.damaged; run the stage that wrote it again, it will redo this shard only."
    )
    assert not path.exists()
    assert pq.read_metadata(aside).num_rows == 40


@pytest.mark.parametrize("trouble", [OSError(errno.EMFILE, "Too many open files"), pa.ArrowMemoryError("no memory")])
@pytest.mark.parametrize("name", ["read_table", "ParquetFile", "read_metadata"])
def test_trouble_of_the_machine_leaves_the_shard_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Exception, name: str
) -> None:
    path = write(tmp_path / "part-a.parquet")

    def fail(*_: Any, **__: Any) -> None:
        raise trouble

    monkeypatch.setattr(shards.pq, name, fail)
    read = {"read_table": read_rows, "ParquetFile": rows_digest, "read_metadata": read_footer}[name]
    with pytest.raises(type(trouble)) as error:
        read(path)
    assert error.value is trouble
    assert path.exists()
