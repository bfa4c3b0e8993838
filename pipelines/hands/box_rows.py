"""Read and check a user's table of boxes, Parquet or CSV.

A table may have millions of rows.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from data_manifests.errors import InputError

_CORNERS = ("x0", "y0", "x1", "y1")
_PLACES = ("frame", "time_s")
_REQUIRED = ("video", *_CORNERS, "score")
_WORDS = {"side": ("left", "right"), "kind": ("hand", "object")}
_TYPES = {
    "video": pa.string(),
    "frame": pa.int64(),
    "time_s": pa.float64(),
    **dict.fromkeys((*_CORNERS, "score", "width", "height"), pa.float64()),
    "side": pa.string(),
    "kind": pa.string(),
    "contact": pa.bool_(),
}
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

    A row without corners means that the frame was searched and has no box. Other columns are ignored.

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
    places = [name for name in _PLACES if name in found]
    if not set(_REQUIRED) <= set(found) or len(places) != 1 or ("width" in found) != ("height" in found):
        raise InputError(
            f"{file}: found the columns {', '.join(found) or '(none)'}; expected {', '.join(_REQUIRED)}, one of "
            f"{' and '.join(_PLACES)}, and width and height or neither."
        )
    table = _read(file, is_csv, found)
    corners = _Checks(file, table, 2 if is_csv else 1).corners(places[0])
    columns = {"video": table.column("video"), places[0]: table.column(places[0])}
    columns |= {name: pa.array(values, from_pandas=True) for name, values in zip(_CORNERS, corners, strict=True)}
    columns["score"] = table.column("score")
    for name in (*_WORDS, "contact"):
        columns[name] = table.column(name) if name in found else pa.nulls(len(table), _TYPES[name])
    return pa.table(columns)


def _csv_header(file: Path) -> list[str]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            return next(csv.reader(lines), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file}: not a csv file in UTF-8 ({error}).") from None


def _parquet_header(file: Path) -> list[str]:
    try:
        return pq.read_schema(file).names
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{file}: not a Parquet file ({error}).") from None


def _read(file: Path, is_csv: bool, found: Sequence[str]) -> pa.Table:
    types = {name: _TYPES[name] for name in found if name in _TYPES}
    try:
        if not is_csv:
            return pq.read_table(file, columns=list(types)).cast(pa.schema(types.items()))
        # One thread, so that the error can name the row; only '' is empty, so that 'nan' is an error.
        return pa.csv.read_csv(
            file,
            pa.csv.ReadOptions(use_threads=False),
            convert_options=pa.csv.ConvertOptions(
                column_types=types, include_columns=list(types), null_values=[""], strings_can_be_null=True
            ),
        )
    except (pa.ArrowException, OSError) as error:
        match = _ARROW_ERROR.fullmatch(str(error))
        if match is None:
            raise InputError(f"{file}: {error}.") from None
        row = f"row {match[2]}, " if match[2] else ""
        raise InputError(f"{file}, {row}column {found[int(match[1])]}: {match[3]}.") from None


class _Checks:
    """Checks of whole columns; the error names the first wrong row."""

    def __init__(self, file: Path, table: pa.Table, first_row: int) -> None:
        self._file, self._table, self._first_row = file, table, first_row

    def corners(self, place: str) -> list[np.ndarray]:
        """Check every row and return the corners.

        Returns:
            x0, y0, x1 and y1 as shares of the frame's sides, NaN in rows without corners.
        """
        self._require(self._there("video"), ["video"], "the id of a video")
        least, meaning = (1, "the number of a JPEG, 1 or more") if place == "frame" else (0, "seconds, 0 or more")
        self._require(self._there(place) & _within(self._numbers(place), least, np.inf), [place], meaning)
        there = self._there("x0")
        same = np.logical_and.reduce([self._there(name) == there for name in _CORNERS])
        self._require(same, _CORNERS, "all four corners, or none in a row of a frame without boxes")
        self._require(~there | _within(self._numbers("score"), 0, 1), ["score"], "a score in [0, 1]")
        x0, y0, x1, y1 = (self._numbers(name) for name in _CORNERS)
        names: Sequence[str] = _CORNERS
        right = bottom = np.ones(1)
        expected = "0 ≤ x0 ≤ x1 ≤ 1 and 0 ≤ y0 ≤ y1 ≤ 1 (pixels need columns width and height)"
        if "width" in self._table.column_names:
            right, bottom = self._numbers("width"), self._numbers("height")
            sized = _within(right, 1, np.inf) & _within(bottom, 1, np.inf)
            self._require(~there | sized, ["width", "height"], "the frame's size in pixels")
            names = (*_CORNERS, "width", "height")
            expected = "0 ≤ x0 ≤ x1 ≤ width and 0 ≤ y0 ≤ y1 ≤ height, in pixels"
        inside = (x0 >= 0) & (x0 <= x1) & (x1 <= right) & (y0 >= 0) & (y0 <= y1) & (y1 <= bottom)
        self._require(~there | inside, names, expected)
        for name, words in _WORDS.items():
            if name in self._table.column_names:
                known = pc.is_in(self._table.column(name), pa.array([*words, None]))
                self._require(known.to_numpy(), [name], " or ".join(words))
        with np.errstate(invalid="ignore", divide="ignore"):
            return [x0 / right, y0 / bottom, x1 / right, y1 / bottom]

    def _there(self, name: str) -> np.ndarray:
        return self._table.column(name).is_valid().to_numpy()

    def _numbers(self, name: str) -> np.ndarray:
        return self._table.column(name).to_numpy()

    def _require(self, right: np.ndarray, columns: Sequence[str], expected: str) -> None:
        wrong = np.flatnonzero(~right)
        if wrong.size:
            row = int(wrong[0])
            found = ", ".join(f"{name} {self._table.column(name)[row].as_py()!r}" for name in columns)
            raise InputError(f"{self._file}, row {row + self._first_row}: {found}; expected {expected}.")


def _within(values: np.ndarray, least: float, most: float) -> np.ndarray:
    return (values >= least) & (values <= most) & np.isfinite(values)
