"""Open a user's table and lists of class names.

A table is in CSV, TSV, Parquet or JSON lines.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data_manifests.errors import InputError
from data_manifests.json_files import refuse_half_characters
from data_manifests.readers.csv_files import ends_with_line, read_csv, refuse_repeated
from data_manifests.readers.text_files import text_of
from data_manifests.remote.errors import RemoteError

Row = tuple[int, dict[Any, Any]]
"""A row's number (the line it ends on; in Parquet from 1) and its cells by column."""


_CSV = {".csv": ",", ".tsv": "\t"}


def open_table(file: Path) -> tuple[list[str], list[Row]]:
    """Read the columns and rows of a table.

    Cells are values, whatever they look like.

    Raises:
        InputError: the file does not exist, is not of its format, or its format is unknown.
    """
    if not file.is_file():
        raise InputError(f"{file}: no such file; expected a table of clips (.csv, .tsv, .parquet or .jsonl).")
    kind = file.suffix.lower()
    if kind in _CSV:
        return _csv_rows(file, _CSV[kind])
    if kind in (".parquet", ".pq"):
        try:
            with file.open("rb") as content:
                table = pq.read_table(content)
            rows = table.to_pylist()
        except RemoteError:
            raise
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise InputError(f"{file}: not a Parquet file ({error})") from None
        refuse_repeated(str(file), table.column_names)
        return table.column_names, list(enumerate(rows, start=1))
    if kind in (".jsonl", ".ndjson"):
        parsed = list(_json_lines(file))
        found = list(dict.fromkeys(name for _, row in parsed for name in row))
        return found, parsed
    raise InputError(f"{file}: tables end in .csv, .tsv, .parquet or .jsonl, not {kind or 'nothing'}.")


def maybe_cut_off(file: Path, columns: Sequence[str], rows: Sequence[Row]) -> str | None:
    """Report a text table whose last line may be cut off.

    Returns:
        A sentence when the last line has no line end and its last cell occurs in no other row; else None.
    """
    if not rows or file.suffix.lower() not in _CSV or ends_with_line(file):
        return None
    name = columns[-1]
    last = rows[-1][1][name]
    if any(row[name] == last for _, row in rows[:-1]):
        return None
    return (
        f"{file.name}: its last line has no line end; if the file was cut off there, {name} {last!r} in row "
        f"{rows[-1][0]} is not whole"
    )


def read_names(file: Path, *, comments: bool = False) -> list[str]:
    """Read class names, one per line.

    Args:
        file: the text file.
        comments: whether lines that begin with '#' are left out.

    Raises:
        InputError: the file does not exist, has no name, or has a name twice.
    """
    if not file.is_file():
        raise InputError(f"{file}: no such class file; expected one class name a line.")
    names = [line.strip() for line in text_of(file).splitlines() if line.strip()]
    if comments:
        names = [name for name in names if not name.startswith("#")]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated or not names:
        what = f"class {repeated[0]!r} appears twice" if repeated else "no class name in it"
        raise InputError(f"{file}: {what}; expected one class name a line, each once.")
    return names


def _csv_rows(file: Path, delimiter: str) -> tuple[list[str], list[Row]]:
    """Read the rows, and the columns without blanks around their names."""
    rows = list(read_csv(file, delimiter))
    columns = [name.strip() for name in rows[0][1]] if rows else []
    return columns, [(line, dict(zip(columns, cells, strict=True))) for line, cells in rows[1:]]


def _json_lines(file: Path) -> Iterator[Row]:
    # Not splitlines(): a JSON string may hold other line separators (U+2028) as they are.
    for number, line in enumerate(text_of(file).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=partial(_object, f"{file}, line {number}"))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{file}, line {number}: not JSON ({error})") from None
        refuse_half_characters(f"{file}, line {number}", line, row)
        if not isinstance(row, dict):
            raise InputError(f"{file}, line {number}: found {type(row).__name__}, expected one JSON object a line.")
        yield number, row


def _object(place: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    refuse_repeated(place, [name for name, _ in pairs])
    return dict(pairs)
