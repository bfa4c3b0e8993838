"""Read and check a user's table of boxes, Parquet or CSV.

A table may have millions of rows.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from data_manifests.errors import InputError
from data_manifests.readers.csv_files import csv_text, refuse_repeated

_CORNERS = ("x0", "y0", "x1", "y1")
_PLACES = ("frame", "time_s")
_REQUIRED = ("video", *_CORNERS, "score")
_WORDS = {"side": ("left", "right"), "kind": ("hand", "object")}
_TYPES = {
    "video": pa.string(),
    "frame": pa.float64(),  # pandas makes floats of whole numbers; they are checked and made whole again
    "time_s": pa.float64(),
    **dict.fromkeys((*_CORNERS, "score", "width", "height"), pa.float64()),
    "side": pa.string(),
    "kind": pa.string(),
    "contact": pa.bool_(),
}
ROUNDING = 1e-3
"""Largest share that rounding may leave a corner or a score outside by; float16 has steps of 0.0005 at 1."""

_DECIMAL_COMMA = re.compile(r"(?:^|;)\s*-?\d+,\d+\s*(?:;|$)", re.MULTILINE)
_ARROW_ERROR = re.compile(r"In CSV column #(\d+): (?:Row #(\d+): )?(.*)", re.DOTALL)


def read_box_rows(file: Path) -> pa.Table:
    """Read a table of boxes.

    Its columns are:

    - ``video``: the manifest's id.
    - ``frame``: the number of a JPEG, for videos that were decoded from numbered JPEGs; or ``time_s``: seconds from the
      video's first frame, for all others.
    - ``x0``, ``y0``, ``x1``, ``y1``: shares of the frame's width and height, or pixels where there are the columns
      ``width`` and ``height``, the frame's size in pixels.
    - ``score``: from 0 to 1.
    - ``side`` (optional): 'left' or 'right'.
    - ``kind`` (optional): 'hand' or 'object'; an empty cell means 'hand'.
    - ``contact`` (optional): true or false.

    A row without corners means that the frame was searched and has no box. Other columns are ignored. Corners and
    scores that are outside by a thousandth or less, as rounding leaves them, are set to the edge.

    Args:
        file: ``.parquet`` or ``.csv``.

    Returns:
        The rows in their order: ``video``, ``frame`` or ``time_s``, corners as shares (null where there is no box),
        ``score``, ``side``, ``kind`` and ``contact``.

    Raises:
        InputError: the file is not such a table, or one of its rows is wrong. Rows are counted from 1; in a CSV file,
            row 1 is the header.
    """
    if not file.is_file() or file.suffix.lower() not in (".parquet", ".csv"):
        raise InputError(f"{file}: no such table of boxes; expected a file ending in .parquet or .csv.")
    is_csv = file.suffix.lower() == ".csv"
    found = _csv_header(file) if is_csv else _parquet_header(file)
    refuse_repeated(f"{file}, row 1" if is_csv else str(file), found)
    places = [name for name in _PLACES if name in found]
    if not set(_REQUIRED) <= set(found) or len(places) != 1 or ("width" in found) != ("height" in found):
        raise InputError(
            f"{file}: found the columns {', '.join(found) or '(none)'}; expected {', '.join(_REQUIRED)}, one of "
            f"{' and '.join(_PLACES)}, and width and height or neither."
        )
    table = _read(file, is_csv, found)
    *corners, score = _Checks(file, table, 2 if is_csv else 1).corners_and_score(places[0])
    place = table.column(places[0])
    columns = {"video": table.column("video"), places[0]: place.cast(pa.int64()) if places[0] == "frame" else place}
    columns |= {name: pa.array(values, from_pandas=True) for name, values in zip(_CORNERS, corners, strict=True)}
    columns["score"] = pa.array(score, from_pandas=True)
    for name in (*_WORDS, "contact"):
        columns[name] = table.column(name) if name in found else pa.nulls(len(table), _TYPES[name])
    return pa.table(columns)


def _csv_header(file: Path) -> list[str]:
    """Return the columns; those of a spreadsheet's csv in their other form."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            found = next(csv.reader(lines), [])
    except (UnicodeDecodeError, csv.Error):
        found = []
    if _is_plain(found):
        return found
    whole = csv_text(file)
    try:
        return [name.strip() for name in next(csv.reader(io.StringIO(whole.text), delimiter=whole.delimiter), [])]
    except csv.Error as error:
        raise InputError(f"{file}: its first line cannot be read ({error}). Save it as CSV in UTF-8.") from None


def _is_plain(found: Sequence[str]) -> bool:
    """Return whether a header is one of commas: a semicolon or tab in a name means that they separate the cells."""
    return len(found) > 1 and all(name == name.strip() and not set(";\t") & set(name) for name in found)


def _parquet_header(file: Path) -> list[str]:
    try:
        return pq.read_schema(file).names
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{file}: not a Parquet file ({error}).") from None


def _read(file: Path, is_csv: bool, found: Sequence[str]) -> pa.Table:
    types = {name: _TYPES[name] for name in found if name in _TYPES}
    if not is_csv:
        table = pq.read_table(file, columns=list(types))
        return pa.table({name: _cast(file, name, table.column(name), kind) for name, kind in types.items()})
    source, form = _csv_source(file)
    try:
        # One thread, so that the error can name the row; only '' is empty, so that 'nan' is an error.
        return pa.csv.read_csv(
            source,
            pa.csv.ReadOptions(use_threads=False),
            pa.csv.ParseOptions(delimiter=form["delimiter"]),
            pa.csv.ConvertOptions(
                column_types=types,
                include_columns=list(types),
                null_values=[""],
                strings_can_be_null=True,
                decimal_point=form["decimal_point"],
            ),
        )
    except (pa.ArrowException, OSError) as error:
        if "UTF8" in str(error):
            csv_text(file)  # which names the line and the way out
        match = _ARROW_ERROR.fullmatch(str(error))
        if match is None:
            raise InputError(f"{file}: {error}.") from None
        row = f"row {match[2]}, " if match[2] else ""
        raise InputError(f"{file}, {row}column {found[int(match[1])]}: {match[3]}.") from None


def _csv_source(file: Path) -> tuple[Any, dict[str, str]]:
    """Return what Arrow reads, and its delimiter and decimal point.

    A file of commas is read as it is: it may be large. Only a spreadsheet's is taken into memory.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            plain = _is_plain(next(csv.reader(lines), []))
    except (UnicodeDecodeError, csv.Error):
        plain = False
    if plain:
        return file, {"delimiter": ",", "decimal_point": "."}
    whole = csv_text(file)
    text = io.StringIO(whole.text, newline="")
    header = next(csv.reader(text, delimiter=whole.delimiter), [])
    rest = text.read()
    comma = whole.delimiter == ";" and _DECIMAL_COMMA.search(rest) is not None
    rows = whole.delimiter.join(name.strip() for name in header) + "\n" + rest
    return io.BytesIO(rows.encode()), {"delimiter": whole.delimiter, "decimal_point": "," if comma else "."}


def _cast(file: Path, name: str, column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Convert a column of Parquet; a NaN is a missing number."""
    try:
        found = column.cast(kind)
    except pa.ArrowException as error:
        raise InputError(f"{file}, column {name}: found {column.type}; expected {kind} ({error}).") from None
    return pc.if_else(pc.is_nan(found), None, found) if pa.types.is_floating(kind) else found


class _Checks:
    """Checks of whole columns; the error names the first wrong row."""

    def __init__(self, file: Path, table: pa.Table, first_row: int) -> None:
        self._file, self._table, self._first_row = file, table, first_row

    def corners_and_score(self, place: str) -> list[np.ndarray]:
        """Check every row and return its numbers.

        Returns:
            x0, y0, x1 and y1 as shares of the frame's sides, NaN in rows without corners; and the score.
        """
        self._require(self._there("video"), ["video"], "the id of a video")
        least, meaning = (1, "the number of a JPEG, 1 or more") if place == "frame" else (0, "seconds, 0 or more")
        places = self._numbers(place)
        self._require(self._there(place) & _within(places, least, np.inf), [place], meaning)
        self._require((place != "frame") | (places == np.floor(places)), [place], meaning)
        there = self._there("x0")
        same = np.logical_and.reduce([self._there(name) == there for name in _CORNERS])
        self._require(same, _CORNERS, "all four corners, or none in a row of a frame without boxes")
        score = _at_the_edge(self._numbers("score"), np.ones(1))
        self._require(~there | _within(score, 0, 1), ["score"], "a score in [0, 1]")
        names: Sequence[str] = _CORNERS
        right = bottom = np.ones(1)
        expected = "0 ≤ x0 ≤ x1 ≤ 1 and 0 ≤ y0 ≤ y1 ≤ 1 (pixels need columns width and height)"
        if "width" in self._table.column_names:
            right, bottom = self._numbers("width"), self._numbers("height")
            sized = _within(right, 1, np.inf) & _within(bottom, 1, np.inf)
            self._require(~there | sized, ["width", "height"], "the frame's size in pixels")
            names = (*_CORNERS, "width", "height")
            expected = "0 ≤ x0 ≤ x1 ≤ width and 0 ≤ y0 ≤ y1 ≤ height, in pixels"
        sides = (right, bottom, right, bottom)
        x0, y0, x1, y1 = (_at_the_edge(self._numbers(name), side) for name, side in zip(_CORNERS, sides, strict=True))
        inside = (x0 >= 0) & (x0 <= x1) & (x1 <= right) & (y0 >= 0) & (y0 <= y1) & (y1 <= bottom)
        self._require(~there | inside, names, expected)
        for name, words in _WORDS.items():
            if name in self._table.column_names:
                known = pc.is_in(self._table.column(name), pa.array([*words, None]))
                self._require(known.to_numpy(), [name], " or ".join(words))
        with np.errstate(invalid="ignore", divide="ignore"):
            return [x0 / right, y0 / bottom, x1 / right, y1 / bottom, score]

    def _there(self, name: str) -> np.ndarray:
        return self._table.column(name).is_valid().to_numpy()

    def _numbers(self, name: str) -> np.ndarray:
        return self._table.column(name).to_numpy()

    def _require(self, right: np.ndarray, columns: Sequence[str], expected: str) -> None:
        wrong = np.flatnonzero(~right)
        if wrong.size:
            row = int(wrong[0])
            found = ", ".join(f"{name} {_written(name, self._table.column(name)[row].as_py())}" for name in columns)
            raise InputError(f"{self._file}, row {row + self._first_row}: {found}; expected {expected}.")


def _written(name: str, value: Any) -> str:
    return f"{value:.0f}" if name == "frame" and value is not None and value == np.floor(value) else repr(value)


def _within(values: np.ndarray, least: float, most: float) -> np.ndarray:
    return (values >= least) & (values <= most) & np.isfinite(values)


def _at_the_edge(values: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Set values that rounding left outside of [0, side] to its ends."""
    rounded = (values < 0) & (values >= -ROUNDING * side), (values > side) & (values <= side * (1 + ROUNDING))
    return np.where(rounded[0], 0.0, np.where(rounded[1], side, values))
