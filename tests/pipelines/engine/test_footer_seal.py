from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.engine.footer_seal import is_footer_damaged, seal_footer


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": list(range(100)), "b": ["x"] * 100}), path)
    seal_footer(path)
    return path


def test_a_sealed_file_is_read_like_any_other(file: Path) -> None:
    assert not is_footer_damaged(file)
    assert pq.read_table(file).column("a").to_pylist() == list(range(100))


def test_every_flipped_bit_of_the_footer_its_length_and_the_magic_is_noticed(file: Path) -> None:
    whole = file.read_bytes()
    length = int.from_bytes(whole[-8:-4], "little")
    tail = range(8 * (len(whole) - length - 8 - 32), 8 * len(whole))
    wrong = [*range(tail.stop - 64, tail.stop), *random.Random(0).sample(tail, 500)]
    for at in wrong:
        damaged = bytearray(whole)
        damaged[at // 8] ^= 1 << at % 8
        file.write_bytes(damaged)
        assert is_footer_damaged(file), at - tail.start


def test_files_without_a_seal_and_files_that_are_no_parquet_are_left_to_their_reader(tmp_path: Path) -> None:
    path = tmp_path / "old.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    assert not is_footer_damaged(path)
    for content in (b"", b"short", b"no parquet at all, but long enough"):
        path.write_bytes(content)
        assert not is_footer_damaged(path)
    with pytest.raises(FileNotFoundError):
        is_footer_damaged(tmp_path / "none")
