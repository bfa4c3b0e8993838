from __future__ import annotations

from pathlib import Path

import pytest

from data_manifests.errors import InputError
from data_manifests.readers.csv_files import ends_with_line, read_csv


def _rows(file: Path, content: str) -> list[tuple[int, list[str]]]:
    file.write_bytes(content.encode())
    return list(read_csv(file))


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\r", "\n\n", "\n   \n"])
def test_a_whole_file_is_read_however_it_ends(tmp_path: Path, end: str) -> None:
    rows = [(1, ["video", "noun"]), (2, ["a.mp4", "crème"])]
    assert _rows(tmp_path / "x.csv", "video,noun\na.mp4,crème" + end) == rows


def test_blanks_after_a_comma_do_not_hide_a_quote(tmp_path: Path) -> None:
    assert _rows(tmp_path / "x.csv", 'video, noun\na.mp4, "pan, lid"\n')[1] == (2, ["a.mp4", "pan, lid"])


def test_an_empty_cell_is_a_cell(tmp_path: Path) -> None:
    assert _rows(tmp_path / "x.csv", 'video\n""\n') == [(1, ["video"]), (2, [""])]
    assert _rows(tmp_path / "x.csv", "video,noun\n,\n")[1] == (2, ["", ""])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b,c\n1,2\n3,4,5\n", "line 2: 2 cells, expected 3; every row needs a cell for each column"),
        ("a,b,c\n1,2,3\n4,5", "line 3: 2 cells, expected 3; the file ends in the middle of this line: it is cut off"),
        ("a,b,c\n1,2,3\n4,5\n", "line 3: 2 cells, expected 3; every row needs a cell for each column"),
        ("a,b\n1,2,3", "line 2: 3 cells, expected 2; put texts with a comma in quotes"),
        ("a,b\n1,2,,\n", "line 2: 4 cells, expected 2; the row ends in ',' and has an empty cell more than the header"),
        (
            'a,b\n1,"two\n3,4\n5,6\n',
            r"line 2: .*unexpected end of data\): a quote that opens in this row is not closed",
        ),
        ('a,b\n1,"two\n3,"4"\n5,6\n', "line 2: .*expected after .*: a quote opens or closes in this row where it"),
        ('a,b\n1,"two\n3,4"\n5\n', "line 4: 1 cells, expected 2"),
    ],
)
def test_a_row_that_lost_cells_is_refused_by_its_line(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"x\.csv, {message}"):
        _rows(tmp_path / "x.csv", content)


def test_a_last_line_has_its_end_or_not(tmp_path: Path) -> None:
    file = tmp_path / "x"
    for content, ends in ((b"", True), (b"a", False), (b"a\n", True), (b"a\r\n", True)):
        file.write_bytes(content)
        assert ends_with_line(file) is ends
