from __future__ import annotations

from pathlib import Path

import pytest

from data_manifests.errors import InputError
from data_manifests.readers.table_files import open_table, read_names


def test_a_row_has_the_number_of_the_line_it_ends_on(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text('video,narration\na.mp4,"two\nlines"\nb.mp4,one\n')
    columns, rows = open_table(file)
    assert columns == ["video", "narration"]
    assert [(line, row["video"]) for line, row in rows] == [(3, "a.mp4"), (4, "b.mp4")]


def test_the_columns_of_json_lines_are_those_of_any_row(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text('{"video": "a"}\n\n{"noun": "cup"}\n')
    columns, rows = open_table(file)
    assert (columns, list(rows)) == (["video", "noun"], [(1, {"video": "a"}), (3, {"noun": "cup"})])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.xlsx", b"PK", r"x\.xlsx: tables end in \.csv, \.tsv, \.parquet or \.jsonl, not \.xlsx"),
        ("x.parquet", b"no", r"x\.parquet: not a Parquet file"),
        ("x.jsonl", b"[1]\n", r"x\.jsonl, line 1: found list, expected one JSON object a line"),
        ("x.jsonl", rb'{"noun": "\udc00"}', r"x\.jsonl, line 1: the escape '\\udc00' is half a character"),
        ("x.csv", b"video,narration\na,one\nb,two, three\n", r"x\.csv, line 3: 3 cells, expected 2; put texts with"),
        ("x.csv", b"video,noun,noun\na,b,c\n", r"x\.csv, line 1: the column 'noun' appears 2 times"),
        ("x.csv", b"\xff\xfea", r"x\.csv: not a text file in UTF-8"),
    ],
)
def test_a_file_of_another_format_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        list(open_table(tmp_path / name)[1])


def test_class_names_stand_once_each(tmp_path: Path) -> None:
    file = tmp_path / "nouns.txt"
    file.write_text(" pan \n\nlid\n")
    assert read_names(file) == ["pan", "lid"]
    file.write_text("pan\npan\n")
    with pytest.raises(InputError, match="class 'pan' appears twice"):
        read_names(file)


def test_a_comment_is_no_name_where_comments_may_stand(tmp_path: Path) -> None:
    file = tmp_path / "nouns.txt"
    file.write_text("# on the table\npan\n# number 2\n")
    assert read_names(file, comments=True) == ["pan"]
    assert read_names(file)[0] == "# on the table"
