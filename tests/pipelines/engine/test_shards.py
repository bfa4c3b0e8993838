from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_manifests.errors import InputError
from pipelines.engine import shards
from pipelines.engine.digest import canonical_json
from pipelines.engine.shards import (
    FAILURES_LAYOUT,
    TRANSIENT,
    DamagedShard,
    Layout,
    ShardWriter,
    footer_of_side,
    iter_rows,
    read_footer,
    read_rows,
    rows_digest,
    shard_key,
    side_path,
)

_SCHEMA = pa.schema([("name", pa.string()), ("n", pa.int64()), ("vector", pa.list_(pa.float16(), 2))])
_ROWS = [
    {"name": None if n % 5 == 3 else f"row {n}", "n": n * n, "vector": None if n % 7 == 2 else [n / 2, -1]}
    for n in range(40)
]


def _writer(path: Path, *, row_group: int = 16, stage: str = "numbers", **layout: Any) -> ShardWriter:
    return ShardWriter(
        path,
        Layout(_SCHEMA, row_group=row_group, **layout),
        {"notes": Layout(_SCHEMA, row_group=4), "failures": FAILURES_LAYOUT},
        stage=stage,
        version=2,
        params={"factor": 3},
        inputs={"frames": "abc"},
        attempted=45,
        provenance={"encoder": "x"},
        environment={"torch": "2"},
    )


def _write(path: Path, batches: Sequence[Sequence[dict[str, Any]]] = (_ROWS,), **options: Any) -> Path:
    with _writer(path, **options) as shard:
        for batch in batches:
            shard.write(batch)
        shard.write_side("notes", _ROWS[:3])
        shard.fail("past_end", "too late", video_id="v", clip_id="c", pts=7)
        shard.fail("decode_error", "bad packet", video_id="w", rows=4)
    return path


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
    path = _write(tmp_path / "part-a.parquet")
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
    assert read_rows(path).to_pylist() == _ROWS
    assert read_rows(path, ["n"]).column_names == ["n"]
    assert read_rows(side_path(path, "failures")).to_pylist() == [
        {"video_id": "v", "clip_id": "c", "pts": 7, "reason": "past_end", "error": "too late", "rows": 1},
        {"video_id": "w", "clip_id": None, "pts": None, "reason": "decode_error", "error": "bad packet", "rows": 4},
    ]


@pytest.mark.parametrize("reason", sorted(TRANSIENT))
def test_a_shard_with_a_transient_failure_is_not_complete(tmp_path: Path, reason: str) -> None:
    with _writer(tmp_path / "part-a.parquet") as shard:
        shard.fail("decode_error", "")
        shard.fail(reason, "")
    assert not read_footer(tmp_path / "part-a.parquet").complete


def test_a_stage_may_add_provenance_and_attempts_while_it_writes(tmp_path: Path) -> None:
    with _writer(tmp_path / "part-a.parquet") as shard:
        shard.provenance["precision"] = "fp32"
        shard.attempted = 7
        shard.write(_ROWS[:17])
        assert shard.rows == 16
    footer = read_footer(tmp_path / "part-a.parquet")
    assert (footer.provenance, footer.attempted) == ({"encoder": "x", "precision": "fp32"}, 7)


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 40), max_size=6), as_table=st.booleans(), plain=st.booleans())
def test_bytes_do_not_depend_on_how_rows_were_batched_nor_on_the_folder(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], as_table: bool, plain: bool
) -> None:
    bounds = [0, *sorted(cuts), 40]
    batches: list[Any] = [_ROWS[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]
    if as_table:
        whole = pa.Table.from_pylist(_ROWS, schema=_SCHEMA)
        batches = [whole.slice(a, b - a) for a, b in zip(bounds, bounds[1:], strict=False)]
    one = _write(tmp_path_factory.mktemp("one") / "part-a.parquet", plain=plain)
    other = _write(tmp_path_factory.mktemp("other") / "part-a.parquet", batches, plain=plain)
    assert one.read_bytes() == other.read_bytes()
    assert side_path(one, "notes").read_bytes() == side_path(other, "notes").read_bytes()


def test_row_groups_have_the_layouts_size_and_pages_have_checksums(tmp_path: Path) -> None:
    path = _write(tmp_path / "part-a.parquet", plain=True, compression="none")
    metadata = pq.read_metadata(path)
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [16, 16, 8]
    column = metadata.row_group(0).column(1)
    assert (column.compression, column.statistics, column.has_dictionary_page) == ("UNCOMPRESSED", None, False)
    assert [table.num_rows for table in iter_rows(path, ["n"])] == [16, 16, 8]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_no_flipped_bit_between_header_and_footer_gives_other_rows(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = _write(tmp_path_factory.mktemp("flip") / "part-a.parquet")
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
    path = _write(tmp_path / "part-a.parquet")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"name", b"na\xffe"))
    with pytest.raises(DamagedShard, match=r"not a whole Parquet file \('utf-8' codec can't decode byte 0xff"):
        read_footer(path)


def test_a_shard_without_rows_is_a_shard(tmp_path: Path) -> None:
    path = _write(tmp_path / "part-a.parquet", [[]])
    assert (read_footer(path).rows, read_rows(path).num_rows, list(iter_rows(path))) == (0, 0, [])
    assert read_footer(path).digest == rows_digest(path)


def test_side_parts_of_a_group_stand_in_folders_and_those_of_a_single_file_beside_it() -> None:
    assert side_path(Path("x/part-b1.parquet"), "failures") == Path("x/failures/part-b1.parquet")
    assert side_path(Path("x/clips.parquet"), "rejects") == Path("x/rejects.parquet")


def test_an_error_in_the_block_leaves_the_previous_shard_and_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "part-a.parquet"

    def fail_while_writing() -> None:
        with _writer(path) as shard:
            shard.write(_ROWS[:20])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_while_writing()
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []
    before = _write(path).read_bytes()
    with pytest.raises(KeyboardInterrupt):
        fail_while_writing()
    assert path.read_bytes() == before
    assert not list(tmp_path.rglob(".*"))


def test_a_full_disk_at_the_commit_leaves_the_previous_shard_and_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _write(tmp_path / "part-a.parquet").read_bytes()

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pipelines.engine.shards.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        _write(tmp_path / "part-a.parquet", [_ROWS[:5]])
    assert (tmp_path / "part-a.parquet").read_bytes() == before
    assert not list(tmp_path.rglob(".*"))


def test_a_disk_that_lost_rows_is_noticed_before_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = _write(tmp_path / "other" / "part-a.parquet", [[]])
    metadata = pq.read_metadata(other)
    monkeypatch.setattr(shards.pq, "read_metadata", lambda path: metadata)
    with pytest.raises(InputError, match=r"part-a\.parquet\..+-\d+\.tmp: the disk did not keep what was written to it"):
        _write(tmp_path / "part-a.parquet")
    assert not (tmp_path / "part-a.parquet").exists()


def test_leftovers_of_a_killed_writer_are_cleaned_by_the_next(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "notes"):
        folder.mkdir(exist_ok=True)
        (folder / ".part-a.parquet.4711.tmp").write_bytes(b"half")
        (folder / ".part-b.parquet.4711.tmp").write_bytes(b"another shard's")
    _write(tmp_path / "part-a.parquet")
    assert sorted(file.name for file in tmp_path.rglob(".*")) == [".part-b.parquet.4711.tmp"] * 2


@pytest.mark.parametrize("keep", [0, 3, 4, 12, 0.3, 0.9, -1, -4, -8])
def test_a_truncated_shard_is_damaged(tmp_path: Path, keep: float) -> None:
    path = _write(tmp_path / "part-a.parquet")
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if 0 < keep < 1 else int(keep)])
    with pytest.raises(DamagedShard) as error:
        read_footer(path)
    assert str(error.value).startswith(f"{path}: not a whole Parquet file (")
    assert error.value.exit_code == 3


def test_a_shard_that_lost_bytes_before_its_footer_is_damaged(tmp_path: Path) -> None:
    path = _write(tmp_path / "part-a.parquet")
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
    path = _write(tmp_path / "part-a.parquet")
    side_path(path, "notes").replace(path)
    with pytest.raises(DamagedShard, match=r"part-a\.parquet: its footer is not that of a shard \("):
        read_footer(path)


def test_a_footer_with_another_row_count_is_damaged(tmp_path: Path) -> None:
    path = _write(tmp_path / "part-a.parquet")
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
    path = _write(tmp_path / "part-a.parquet", plain=True, compression="none")
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
    path = _write(tmp_path / "part-a.parquet")

    def fail(*_: Any, **__: Any) -> None:
        raise trouble

    monkeypatch.setattr(shards.pq, name, fail)
    read = {"read_table": read_rows, "ParquetFile": rows_digest, "read_metadata": read_footer}[name]
    with pytest.raises(type(trouble)) as error:
        read(path)
    assert error.value is trouble
    assert path.exists()
