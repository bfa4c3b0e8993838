"""Tables that spreadsheets write are read as they are, or refused with what to save instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from data_manifests.errors import InputError
from data_manifests.readers.csv_files import ends_with_line, read_csv
from data_manifests.readers.epic import EpicReader
from data_manifests.readers.table import TableReader
from tests.data_manifests.epic_files import write_epic

_CELLS = [["video", "start_s", "stop_s", "noun", "split"], ["a.mp4", "0.5", "1.5", "crème, fraîche", "train"]]


def _text(delimiter: str, comma: str, end: str) -> str:
    rows = [[cell.replace(".", comma) if cell[0].isdigit() else cell for cell in row] for row in _CELLS]
    return end.join(delimiter.join(f'"{cell}"' if delimiter in cell else cell for cell in row) for row in rows) + end


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    ("first", "delimiter", "comma"),
    [
        ("", ",", "."),
        ("", ";", ","),
        ("", ";", "."),
        ("", "\t", "."),
        ("", "\t", ","),
        ("sep=;", ";", ","),
        ('"sep=|"', "|", "."),
    ],
)
def test_every_form_gives_the_same_clip(
    tmp_path: Path, first: str, delimiter: str, comma: str, encoding: str, end: str
) -> None:
    file = tmp_path / "x.csv"
    file.write_bytes((first + end * bool(first) + _text(delimiter, comma, end)).encode(encoding))
    assert ends_with_line(file)
    read = TableReader([(file, None)]).read("train")
    (clip,) = read.clips.to_pylist()
    assert (clip["start_s"], clip["stop_s"], clip["noun"]) == (0.5, 1.5, "crème, fraîche")
    assert read.origins == [("x.csv", 3 if first else 2)]


def test_a_decimal_comma_is_read_in_columns_of_numbers_only(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("video;start_s;noun;narration\na;0,5;1,5;1,5\nb;;lid;2,5 eggs\n")
    assert [cells for _, cells in read_csv(file)][1:] == [["a", "0.5", "1,5", "1,5"], ["b", "", "lid", "2,5 eggs"]]


def test_a_comma_between_the_digits_of_a_file_with_commas_or_tabs_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text('video,start_s\na,"1,234"\n')
    assert next(row for _, row in read_csv(file) if row[0] == "a") == ["a", "1,234"]
    (reject,) = TableReader([(file, "train")]).read("train").rejects.to_pylist()
    assert reject["detail"].startswith("start_s '1,234' has a comma; decimals need a point")


def test_a_quoted_decimal_comma_between_commas_is_named(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text('video,start_s,stop_s,noun\na.mp4,"0,5",2,cup\n')
    (reject,) = TableReader([(file, "train")]).read("train").rejects.to_pylist()
    assert reject["detail"] == "start_s '0,5' has a decimal comma; write a point: 0.5"


def test_a_comma_in_the_name_of_a_column_does_not_separate_cells(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("video;start_s;stop_s;noun;note, free\na.mp4;0,5;2;cup;a, b\n")
    assert next(read_csv(file)) == (1, ["video", "start_s", "stop_s", "noun", "note, free"])
    (clip,) = TableReader([(file, "train")]).read("train").clips.to_pylist()
    assert (clip["start_s"], clip["stop_s"]) == (0.5, 2.0)
    (tmp_path / "x.tsv").write_text("video\tnote, free, long\na\tb\n")
    assert next(read_csv(tmp_path / "x.tsv", "\t"))[1] == ["video", "note, free, long"]


@pytest.mark.parametrize(("cells", "point"), [("1,234 12,000", False), ("0,123 12,000", True), ("1,5 12,000", True)])
def test_commas_of_thousands_in_a_file_with_tabs_are_not_taken_for_decimals(
    tmp_path: Path, cells: str, point: bool
) -> None:
    file = tmp_path / "x.csv"
    file.write_text("video\tn\n" + "".join(f"a\t{cell}\n" for cell in cells.split()))
    assert [row[1] for _, row in read_csv(file)][1:] == (cells.replace(",", ".") if point else cells).split()


def test_a_delimiter_of_the_header_is_kept_although_cells_have_others(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text('video,"a;b;c"\na;b,c\n')
    assert [row for _, row in read_csv(file)] == [["video", "a;b;c"], ["a;b", "c"]]


def test_another_encoding_is_refused_with_line_letter_and_the_way_out(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_bytes("video,noun\na.mp4,crème\n".encode("cp1252"))
    with pytest.raises(InputError) as error:
        list(read_csv(file))
    assert str(error.value) == (
        f"{file}: not a text file in UTF-8 (line 2: byte 0xe8, in Windows-1252 'è'). Save it in UTF-8, in a "
        "spreadsheet as 'CSV UTF-8'. If it is in Windows-1252: iconv -f WINDOWS-1252 -t UTF-8 'x.csv' > FILE."
    )
    file.write_bytes("video,noun\n".encode("utf-16-le"))
    with pytest.raises(InputError, match="begins with a zero byte, as UTF-16 without a mark does"):
        list(read_csv(file))


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_column_that_appears_twice_is_refused_but_not_one_without_a_name(tmp_path: Path, end: str) -> None:
    file = tmp_path / "x.csv"
    file.write_text(f"video, score,score {end}")
    with pytest.raises(InputError, match=r"x\.csv, line 1: the column 'score' appears 2 times; keep one of them"):
        list(read_csv(file))
    file.write_text("video,,\na,,\n")
    assert [row for _, row in read_csv(file)] == [["video", "", ""], ["a", "", ""]]


def test_epic_with_a_column_twice_is_refused_as_that_and_not_for_its_classes(tmp_path: Path) -> None:
    folder = write_epic(tmp_path)
    file = folder / "EPIC_100_validation.csv"
    lines: list[Any] = file.read_text().splitlines()
    file.write_text("\n".join([f"{lines[0]},verb", *(f"{line},x" for line in lines[1:])]) + "\n")
    with pytest.raises(InputError, match=r"EPIC_100_validation\.csv, line 1: the column 'verb' appears 2 times"):
        EpicReader(folder).read("val")
