"""Opening a user's table: CSV, TSV, Parquet or JSON lines; and lists of class names."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data_manifests.errors import InputError
from data_manifests.json_files import refuse_half_characters
from data_manifests.readers.text_files import text_of

Row = tuple[int, dict[Any, Any]]
"""A row's number (the line it ends on; in Parquet from 1) and its cells by column."""


def open_table(file: Path) -> tuple[list[str], Iterator[Row]]:
    """The columns and the rows of a table; cells are values, whatever they look like.

    Raises:
        InputError: there is no such file, it is not of its format, or its format is unknown.
    """
    if not file.is_file():
        raise InputError(f"{file}: no such file; expected a table of clips (.csv, .tsv, .parquet or .jsonl).")
    kind = file.suffix.lower()
    if kind in (".csv", ".tsv"):
        reader = csv.DictReader(io.StringIO(text_of(file), newline=""), delimiter="\t" if kind == ".tsv" else ",")
        try:
            rows = [(reader.line_num, row) for row in reader]
        except csv.Error as error:
            raise InputError(f"{file}, line {reader.line_num}: not a row of a table ({error})") from None
        found = list(reader.fieldnames or [])
        _refuse_shifted(file, found, rows)
        return found, iter(rows)
    if kind in (".parquet", ".pq"):
        try:
            table = pq.read_table(file)
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{file}: not a Parquet file ({error})") from None
        return table.column_names, iter(list(enumerate(table.to_pylist(), start=1)))
    if kind in (".jsonl", ".ndjson"):
        parsed = list(_json_lines(file))
        found = list(dict.fromkeys(name for _, row in parsed for name in row))
        return found, iter(parsed)
    raise InputError(f"{file}: tables end in .csv, .tsv, .parquet or .jsonl, not {kind or 'nothing'}.")


def read_names(file: Path, *, comments: bool = False) -> list[str]:
    """Class names, one a line.

    Args:
        file: the text file.
        comments: whether lines that begin with '#' are left out.

    Raises:
        InputError: there is no such file, no name in it, or one stands twice.
    """
    if not file.is_file():
        raise InputError(f"{file}: no such class file; expected one class name a line.")
    names = [line.strip() for line in text_of(file).splitlines() if line.strip()]
    if comments:
        names = [name for name in names if not name.startswith("#")]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated or not names:
        what = f"class {repeated[0]!r} stands twice" if repeated else "no class name in it"
        raise InputError(f"{file}: {what}; expected one class name a line, each once.")
    return names


def _refuse_shifted(file: Path, columns: list[str], rows: list[Row]) -> None:
    """A cell too many means that a text with a comma stands without quotes, and that the cells after it are others'."""
    twice = [name for name, count in Counter(columns).items() if count > 1]
    if twice:
        raise InputError(f"{file}, line 1: the column {twice[0]!r} stands {columns.count(twice[0])} times.")
    for line, row in rows:
        if None in row:
            raise InputError(
                f"{file}, line {line}: {len(columns) + len(row[None])} cells, expected {len(columns)}; "
                "put texts with a comma in quotes."
            )


def _json_lines(file: Path) -> Iterator[Row]:
    # Not splitlines(): a JSON string may hold other line separators (U+2028) as they are.
    for number, line in enumerate(text_of(file).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"{file}, line {number}: not JSON ({error})") from None
        refuse_half_characters(f"{file}, line {number}", line, row)
        if not isinstance(row, dict):
            raise InputError(f"{file}, line {number}: found {type(row).__name__}, expected one JSON object a line.")
        yield number, row
