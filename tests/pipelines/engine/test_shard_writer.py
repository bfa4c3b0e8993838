from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_manifests.errors import InputError
from pipelines.engine import shard_writer
from pipelines.engine.shards import iter_rows, read_footer, side_path
from tests.pipelines.engine.shard_files import ROWS, SCHEMA, write, writer


def test_a_stage_may_add_provenance_and_attempts_while_it_writes(tmp_path: Path) -> None:
    with writer(tmp_path / "part-a.parquet") as shard:
        shard.provenance["precision"] = "fp32"
        shard.attempted = 7
        shard.write(ROWS[:17])
        assert shard.rows == 16
    footer = read_footer(tmp_path / "part-a.parquet")
    assert (footer.provenance, footer.attempted) == ({"encoder": "x", "precision": "fp32"}, 7)


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 40), max_size=6), as_table=st.booleans(), plain=st.booleans())
def test_bytes_do_not_depend_on_how_rows_were_batched_nor_on_the_folder(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], as_table: bool, plain: bool
) -> None:
    bounds = [0, *sorted(cuts), 40]
    batches: list[Any] = [ROWS[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]
    if as_table:
        whole = pa.Table.from_pylist(ROWS, schema=SCHEMA)
        batches = [whole.slice(a, b - a) for a, b in zip(bounds, bounds[1:], strict=False)]
    one = write(tmp_path_factory.mktemp("one") / "part-a.parquet", plain=plain)
    other = write(tmp_path_factory.mktemp("other") / "part-a.parquet", batches, plain=plain)
    assert one.read_bytes() == other.read_bytes()
    assert side_path(one, "notes").read_bytes() == side_path(other, "notes").read_bytes()


def test_row_groups_have_the_layouts_size_and_pages_have_checksums(tmp_path: Path) -> None:
    path = write(tmp_path / "part-a.parquet", plain=True, compression="none")
    metadata = pq.read_metadata(path)
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [16, 16, 8]
    column = metadata.row_group(0).column(1)
    assert (column.compression, column.statistics, column.has_dictionary_page) == ("UNCOMPRESSED", None, False)
    assert [table.num_rows for table in iter_rows(path, ["n"])] == [16, 16, 8]


def test_an_error_in_the_block_leaves_the_previous_shard_and_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "part-a.parquet"

    def fail_while_writing() -> None:
        with writer(path) as shard:
            shard.write(ROWS[:20])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_while_writing()
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []
    before = write(path).read_bytes()
    with pytest.raises(KeyboardInterrupt):
        fail_while_writing()
    assert path.read_bytes() == before
    assert not list(tmp_path.rglob(".*"))


def test_a_full_disk_at_the_commit_leaves_the_previous_shard_and_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = write(tmp_path / "part-a.parquet").read_bytes()

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pipelines.engine.shard_writer.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "part-a.parquet", [ROWS[:5]])
    assert (tmp_path / "part-a.parquet").read_bytes() == before
    assert not list(tmp_path.rglob(".*"))


def test_a_disk_that_lost_rows_is_noticed_before_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = write(tmp_path / "other" / "part-a.parquet", [[]])
    metadata = pq.read_metadata(other)
    monkeypatch.setattr(shard_writer.pq, "read_metadata", lambda path: metadata)
    with pytest.raises(InputError, match=r"part-a\.parquet\..+-\d+\.tmp: the disk did not keep what was written to it"):
        write(tmp_path / "part-a.parquet")
    assert not (tmp_path / "part-a.parquet").exists()


def test_leftovers_of_a_killed_writer_are_cleaned_by_the_next(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "notes"):
        folder.mkdir(exist_ok=True)
        (folder / ".part-a.parquet.4711.tmp").write_bytes(b"half")
        (folder / ".part-b.parquet.4711.tmp").write_bytes(b"another shard's")
    write(tmp_path / "part-a.parquet")
    assert sorted(file.name for file in tmp_path.rglob(".*")) == [".part-b.parquet.4711.tmp"] * 2
