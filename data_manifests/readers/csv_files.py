"""Read the rows of a csv file and refuse incomplete ones.

What a spreadsheet writes is read too: semicolons or tabs between the cells, decimal commas, and a first line ``sep=;``.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_manifests.errors import InputError
from data_manifests.readers.text_files import text_of

_DELIMITERS = (",", ";", "\t", "|")
_SEP_LINE = re.compile(r'"?sep=(.)"?[^\S\n\r]*(?:\r\n|\n|\r|$)', re.IGNORECASE)
_NOT_THOUSANDS = r"^\s*[+-]?0*,|,\d{1,2}(?!\d)|,\d{4}"
_HEADER = 65536  # characters in which the header is looked for
_DECIMAL = re.compile(r"\s*[+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?\s*", re.ASCII)

Cells = tuple[int, list[str]]
"""Number of the line a row ends on, and the row's cells."""


@dataclass(frozen=True)
class CsvText:
    """Text of a csv file and how its cells are separated.

    Attributes:
        text: the text from the header on.
        delimiter: character between two cells.
        lines_before: number of lines before the header, 1 where the file begins with ``sep=``.
    """

    text: str
    delimiter: str
    lines_before: int


def read_csv(file: Path, delimiter: str = ",") -> Iterator[Cells]:
    """Read the non-empty rows of a csv file, header first.

    Args:
        file: the file, in UTF-8.
        delimiter: character between two cells. Another one is taken where the header has none of it, or more of that
            one than commas.

    Yields:
        The number of the line a row ends on, and the row's cells. In a file with semicolons or tabs, a column of
        numbers with decimal commas has points instead; with tabs only if they cannot be commas of thousands.

    Raises:
        InputError: the file is not in UTF-8; a row has more or fewer cells than the header; a quote is not closed; a
            column appears twice.
    """
    found = csv_text(file, delimiter)
    rows = _rows(file, found)
    header = next(rows, None)
    if header is None:
        return
    refuse_repeated(f"{file}, line {header[0]}", header[1])
    yield header
    yield from rows if found.delimiter in (",", "|") else _with_points(list(rows), found.delimiter)


def csv_text(file: Path, delimiter: str = ",") -> CsvText:
    """Read a csv file's text and find its delimiter.

    Raises:
        InputError: the file is not in UTF-8.
    """
    text = text_of(file)
    said = _SEP_LINE.match(text)
    if said:
        return CsvText(text[said.end() :], said[1], 1)
    header = re.split(r"[\r\n]", re.sub(r'"[^"]*"', "", text[:_HEADER].lstrip("\r\n ")))[0]
    # A name may have a comma in it: what a header has most of is between its cells.
    if delimiter == "," or delimiter not in header:
        delimiter = max((delimiter, *_DELIMITERS), key=header.count)
    return CsvText(text, delimiter, 0)


def refuse_repeated(place: str, columns: Sequence[str]) -> None:
    """Refuse a table in which a column appears twice.

    Columns without a name are not compared: nothing can ask for them.

    Raises:
        InputError: a name appears twice.
    """
    names = [name.strip() for name in columns]
    twice = [name for name, count in Counter(names).items() if count > 1 and name]
    if twice:
        raise InputError(f"{place}: the column {twice[0]!r} appears {names.count(twice[0])} times; keep one of them.")


def _rows(file: Path, found: CsvText) -> Iterator[Cells]:
    lines = io.StringIO(found.text, newline="")
    reader = csv.reader(lines, delimiter=found.delimiter, strict=True, skipinitialspace=True)
    expected = before = 0
    try:
        for cells in reader:
            number = reader.line_num + found.lines_before
            if not expected:
                expected = len(cells)
            blank = not cells or (cells == [""] and expected > 1)
            if len(cells) != expected and not blank:
                last = not lines.read(1)
                raise InputError(
                    f"{file}, line {number}: {len(cells)} cells, expected {expected}; "
                    + _why(cells, expected, found.delimiter, cut_off=last and not ends_with_line(file))
                )
            if not blank:
                yield number, cells
            before = number
    except csv.Error as error:
        raise InputError(f"{file}, line {before + 1}: not a row of a table ({error}){_quote(error)}") from None


def _with_points(rows: list[Cells], delimiter: str) -> Iterator[Cells]:
    """Write the decimal commas of columns of numbers as points."""
    columns = list(zip(*(cells for _, cells in rows), strict=True))
    mark = "," if delimiter == ";" else _NOT_THOUSANDS
    numbers = [at for at, column in enumerate(columns) if _has_decimal_commas(column, mark)]
    for line, cells in rows:
        for at in numbers:
            cells[at] = cells[at].replace(",", ".")
        yield line, cells


def _has_decimal_commas(column: Sequence[str], mark: str) -> bool:
    return any(re.search(mark, cell) for cell in column) and all(
        not cell.strip() or _DECIMAL.fullmatch(cell) for cell in column
    )


def ends_with_line(file: Path) -> bool:
    """Check that the last line of a file has a line end."""
    with file.open("rb") as content:
        content.seek(0, 2)
        content.seek(max(content.tell() - 2, 0))
        last = content.read()
    return not last or last[-1:] in (b"\n", b"\r") or last in (b"\n\0", b"\r\0")  # UTF-16 ends in a zero byte


def _why(cells: Sequence[str], expected: int, delimiter: str, *, cut_off: bool) -> str:
    short = len(cells) < expected
    if short and cut_off:
        return "the file ends in the middle of this line: it is cut off. Get the whole file."
    if short:
        return "every row needs a cell for each column, if need be an empty one, and a quote must be closed in its row."
    if not any(cells[expected:]):
        return (
            f"the row ends in {delimiter!r} and has an empty cell more than the header: take it away, or name a column."
        )
    name = {",": "a comma", ";": "a semicolon", "\t": "a tab"}.get(delimiter, repr(delimiter))
    return f"put texts with {name} in quotes."


def _quote(error: csv.Error) -> str:
    """Describe where to look when a quote is wrong."""
    if "end of data" in str(error):
        return ": a quote that opens in this row is not closed, or the file is cut off."
    if "expected after" in str(error):
        return ": a quote opens or closes in this row where it should not; inside quotes a quote is written twice."
    return ""
