"""Parse the cells of a user's table; no cell is evaluated.

A cell comes from CSV (always a text), Parquet or JSON lines (texts, numbers, lists and more). The same value must be
read from all of them, whatever program wrote it.
"""

from __future__ import annotations

import ast
import datetime
import io
import math
import re
import tokenize
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

from data_manifests.readers import Reject
from data_manifests.times import parse_time

MISSING_WORDS = frozenset(
    [
        "#N/A N/A",
        *"NaN nan -NaN -nan NaT <NA> N/A n/a NA #N/A #NA NULL null None 1.#IND 1.#QNAN -1.#IND -1.#QNAN".split(),
    ]
)
"""Texts that programs write for a missing value: those that pandas reads as one, and NaT."""

_MISSING_FOLDED = frozenset(word.casefold() for word in MISSING_WORDS)
_WHOLE = re.compile(r"(-?\d+)\.0+", re.ASCII)
_BYTES = re.compile(r"b(['\"]).*\1", re.DOTALL)
_EXACT = 2**53  # whole numbers below are exact in a float


class BadCell(Reject, ValueError):
    """Exception for a cell of a kind that its column refuses."""

    def __init__(self, detail: str) -> None:
        super().__init__("bad_cell", detail)


def text(value: Any, column: str = "the cell") -> str | None:
    """Return a cell's text without surrounding blanks, or None if empty.

    A whole number is written without a fraction, as CSV has it before pandas makes it a float: 3.0 is '3'.

    Raises:
        BadCell: the value is neither a text nor a number: a list, a truth value, a date, or bytes that are not UTF-8.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        try:
            value = bytes(value).decode()
        except UnicodeDecodeError:
            raise BadCell(f"{column} {bytes(value)[:40]!r} is bytes that are not UTF-8; expected a text") from None
    if isinstance(value, str):
        return value.strip() or None
    if value is None or (isinstance(value, float | Decimal) and math.isnan(value)):
        return None
    if isinstance(value, float | Decimal) and float(value).is_integer() and abs(float(value)) < _EXACT:
        return str(int(value))
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise BadCell(f"{column} {str(value)[:60]!r} is {_kind(value)}; expected a text or a number")
    return str(value)


def filled(value: Any, column: str) -> str | None:
    """Return a cell's text, or None for a missing value.

    Raises:
        BadCell: see :func:`text`.
    """
    found = text(value, column)
    return None if found in MISSING_WORDS else found


def class_name(value: Any, column: str) -> str | None:
    """Return the class name in a cell, or None if empty.

    Raises:
        BadCell: the value is no name: what :func:`text` refuses, a fraction, or the text of a list or of bytes.
    """
    name = text(value, column)
    if name is None:
        return None
    if not isinstance(value, str | bytes | bytearray | memoryview) and not name.removeprefix("-").isdecimal():
        raise BadCell(f"{column} {name} is a fraction; expected the name of a class or a whole number")
    if _is_list(name):
        raise BadCell(f"{column} {name[:60]!r} is the text of a list; lists go into the column all_nouns")
    if _BYTES.fullmatch(name):
        raise BadCell(f"{column} {name[:60]!r} is how Python prints bytes; expected the text alone")
    return whole_number_name(name)


def _is_list(name: str) -> bool:
    if not (name.startswith("[") and name.endswith("]")):
        return False
    try:
        return isinstance(ast.literal_eval(name), list)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False


def whole_number_name(name: str) -> str:
    """Return a class name; that of a whole number without its fraction.

    pandas writes the whole numbers of a column with empty cells as '3.0'.
    """
    whole = _WHOLE.fullmatch(name)
    return whole[1] if whole else name


def missing_words(used: Mapping[str, Sequence[tuple[str, int]]]) -> list[str]:
    """List names that look like missing values but may be classes.

    Examples are 'none' and 'Null'. Those of :data:`MISSING_WORDS` are not among them.
    """
    return [name for name in sorted(used) if name.casefold() in _MISSING_FOLDED and name not in MISSING_WORDS]


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "a truth value"
    if isinstance(value, list | tuple | set | dict):
        return "a list" if not isinstance(value, dict) else "an object with fields"
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta):
        return "a date or a time of day"
    return f"of the type {type(value).__name__}"


def seconds(row: Mapping[str, Any], column: str, fps: float | None = None) -> float | None:
    """Parse a cell as seconds; None when it is empty.

    Args:
        row: cells by column.
        column: the column.
        fps: frames per second, for times in frames; None = none are accepted.

    Raises:
        Reject: the cell is no time (:func:`data_manifests.times.parse_time`).
    """
    found = text(row.get(column))
    if found is None:
        return None
    try:
        return parse_time(found, fps)
    except ValueError as error:
        raise Reject("bad_time", f"{column} {error}") from None


def frame_number(row: Mapping[str, Any], column: str) -> int | None:
    """Parse a cell as a JPEG number; None when it is empty.

    Raises:
        Reject: the cell is no whole number of 0 or more.
    """
    found = text(row.get(column))
    if found is None:
        return None
    # A column with empty cells comes out of pandas and Parquet as floats: 12.0 is 12.
    whole = found.removesuffix(".0")
    # int() itself refuses numbers of thousands of digits, so their length is looked at first.
    if not (whole.isascii() and whole.isdecimal()) or len(whole) > 10 or int(whole) >= 2**31:
        raise Reject("bad_time", f"{column} {found[:60]!r} is not a frame number")
    return int(whole)


def names(value: Any) -> list[str]:
    """Parse a cell with several class names.

    The cell is a list, a list literal ("['pan', 'lid']"), or names with ';' between them.

    Raises:
        Reject: the cell looks like a list literal but is none, or is a list of something other than names.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        value = text(value, "all_nouns")
    if isinstance(value, str) and value.strip().startswith("["):
        value = _list_literal(value.strip())
    if isinstance(value, list | tuple):
        try:
            found = [class_name(item, "all_nouns") for item in value]
        except BadCell:
            raise Reject("unknown_class", f"all_nouns {str(value)[:60]!r} is not a list of names") from None
    else:
        found = [class_name(item, "all_nouns") for item in (text(value, "all_nouns") or "").split(";")]
    return list(dict.fromkeys(name for name in found if name is not None))


def _list_literal(written: str) -> Any:
    try:
        read = list(tokenize.generate_tokens(io.StringIO(written).readline))
        # Python joins texts that follow each other; NumPy prints its arrays so, without commas.
        joined = any(one.type == two.type == tokenize.STRING for one, two in pairwise(read))
        value = None if joined else ast.literal_eval(written)
        if isinstance(value, (list, tuple)):  # an escape may be half a character, which no file holds
            "".join(item for item in value if isinstance(item, str)).encode()
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError, tokenize.TokenError):
        value = None
    if value is None:
        raise Reject("unknown_class", f"all_nouns {written[:60]!r} is not a list of names")
    return value


def folded(name: str) -> str:
    """Normalise the spelling of a name.

    Case and the Unicode form of letters do not matter, '_' and '-' become blanks, and several blanks become one.
    """
    return " ".join(unicodedata.normalize("NFC", name).casefold().replace("_", " ").replace("-", " ").split())


def other_spellings(label: str, used: Mapping[str, Sequence[tuple[str, int]]]) -> list[str]:
    """Report groups of names that differ only in spelling.

    Args:
        label: 'noun' or 'verb'.
        used: name → the rows (file, number) that have it.

    Returns:
        One sentence per group.
    """
    groups: dict[str, list[str]] = {}
    for name in sorted(used):
        groups.setdefault(folded(name), []).append(name)
    sentences = []
    for group in groups.values():
        if len(group) > 1:
            places = (f"{name!r} ({rows_of(used[name])})" for name in group)
            sentences.append(
                f"{label}s {' and '.join(places)} are {len(group)} classes; "
                f"if they are one, mend the table or give --{label}s FILE"
            )
    return sentences


def meant(name: str, known: Iterable[str]) -> str:
    """Suggest a known name that differs only in spelling.

    Returns:
        '; did you mean …?', or '' when there is no such name.
    """
    near = next((other for other in known if folded(other) == folded(name)), None)
    return f"; did you mean {near!r}?" if near is not None else ""


def rows_of(places: Sequence[tuple[str, int]]) -> str:
    """Describe the rows of a name, given as (file, number)."""
    file, row = places[0]
    return f"row {row} of {file}" if len(places) == 1 else f"{len(places)} rows, the first is row {row} of {file}"
