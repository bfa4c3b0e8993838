"""Read the rows of a csv file and refuse incomplete ones."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from data_manifests.errors import InputError


def read_csv(file: Path, lines: TextIO, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Read the non-empty rows of a csv file, header first.

    Args:
        file: the file, for the messages.
        lines: its text, opened with ``newline=""``.
        delimiter: character between two cells.

    Yields:
        The number of the line a row ends on, and the row's cells.

    Raises:
        InputError: a row has more or fewer cells than the header, or a quote is not closed.
    """
    reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)
    expected = before = 0
    try:
        for cells in reader:
            if not expected:
                expected = len(cells)
            blank = not cells or (cells == [""] and expected > 1)
            if len(cells) != expected and not blank:
                last = not lines.read(1)
                raise InputError(
                    f"{file}, line {reader.line_num}: {len(cells)} cells, expected {expected}; "
                    + _why(len(cells) < expected, cut_off=last and not ends_with_line(file))
                )
            if not blank:
                yield reader.line_num, cells
            before = reader.line_num
    except csv.Error as error:
        raise InputError(f"{file}, line {before + 1}: not a row of a table ({error}){_quote(error)}") from None


def ends_with_line(file: Path) -> bool:
    """Check that the last line of a file has a line end."""
    with file.open("rb") as content:
        content.seek(0, 2)
        content.seek(max(content.tell() - 1, 0))
        return content.read() in (b"\n", b"\r", b"")


def _why(short: bool, *, cut_off: bool) -> str:
    if short and cut_off:
        return "the file ends in the middle of this line: it is cut off. Get the whole file."
    if short:
        return "every row needs a cell for each column, if need be an empty one, and a quote must be closed in its row."
    return "put texts with a comma in quotes."


def _quote(error: csv.Error) -> str:
    """Describe where to look when a quote is wrong."""
    if "end of data" in str(error):
        return ": a quote that opens in this row is not closed, or the file is cut off."
    if "expected after" in str(error):
        return ": a quote opens or closes in this row where it should not; inside quotes a quote is written twice."
    return ""
