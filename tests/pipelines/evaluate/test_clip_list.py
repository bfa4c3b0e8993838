from __future__ import annotations

import hashlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_manifests.errors import InputError
from pipelines.evaluate.clip_list import read_clip_list


def test_a_list_is_lines_csv_or_parquet(tmp_path) -> None:
    lines, table, parquet = (tmp_path / name for name in ("a.txt", "a.csv", "a.parquet"))
    lines.write_text("P01_01_0\n\n P01_01_1 \n")
    table.write_text("n,clip_id\n1,P01_01_0\n2,P01_01_1\n")
    pq.write_table(pa.table({"clip_id": ["P01_01_0", "P01_01_1"]}), parquet)
    for file in (lines, table, parquet):
        found = read_clip_list(file)
        assert found.ids == {"P01_01_0", "P01_01_1"}
        assert found.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.txt", b"\n", "no clip id in it"),
        ("a.csv", b"clip,x\na,1\n", "no column clip_id; found clip, x"),
        ("a.parquet", b"PAR1", "cannot be read as .parquet"),
        ("a.txt", b"\xff\xfe\x00", "not a text file in UTF-8"),
    ],
)
def test_a_file_that_is_no_list_is_named(tmp_path, name, content, text) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(InputError, match=text):
        read_clip_list(file)


def test_a_file_that_is_not_there_is_named(tmp_path) -> None:
    with pytest.raises(InputError, match=r"none.txt: no such file; expected a clip id a line"):
        read_clip_list(tmp_path / "none.txt")


def test_ids_that_no_target_has_are_refused(tmp_path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("a\nb\nc\n")
    found = read_clip_list(file)
    found.refuse_unknown([{"a", "b"}, {"c", "d"}])
    with pytest.raises(InputError, match=r"2 of 3 ids are no clip of what is evaluated, the first is 'b'"):
        found.refuse_unknown([{"a"}])


def test_a_list_of_a_spreadsheet_or_of_numbers_is_read_and_a_column_twice_is_refused(tmp_path) -> None:
    table, numbers = tmp_path / "a.csv", tmp_path / "b.parquet"
    table.write_bytes("n;clip_id\n1;7\n".encode("utf-16"))
    pq.write_table(pa.table({"clip_id": [7.0, None]}), numbers)
    assert read_clip_list(table).ids == read_clip_list(numbers).ids == {"7"}
    table.write_text("clip_id,clip_id\na,b\n")
    with pytest.raises(InputError, match="the column 'clip_id' appears 2 times"):
        read_clip_list(table)
