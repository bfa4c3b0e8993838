"""Parse the cells of a user's table; no cell is evaluated."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from data_manifests.readers import Reject


def text(value: Any) -> str | None:
    """Return a cell's text without surrounding blanks, or None if empty."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return str(value).strip() or None


def seconds(row: Mapping[str, Any], column: str) -> float | None:
    """Parse a cell as seconds; None when it is empty.

    Raises:
        Reject: the cell is no finite number.
    """
    found = text(row.get(column))
    if found is None:
        return None
    try:
        value = float(found)
    except ValueError:
        raise Reject("bad_time", f"{column} {found!r} is not a number of seconds") from None
    if not math.isfinite(value):
        raise Reject("bad_time", f"{column} {found!r} is not a finite number of seconds")
    return value


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
    """Parse a cell with several names.

    The cell is a list, a list literal ("['pan', 'lid']"), or names with ';' between them.

    Raises:
        Reject: the cell looks like a list literal but is none, or is a list of something other than names.
    """
    if isinstance(value, str) and value.strip().startswith("["):
        try:
            value = ast.literal_eval(value.strip())
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            raise Reject("unknown_class", f"all_nouns {value[:60]!r} is not a list of names") from None
    if isinstance(value, list | tuple):
        if not all(item is None or isinstance(item, str) for item in value):
            raise Reject("unknown_class", f"all_nouns {str(value)[:60]!r} is not a list of names")
        found = [text(item) for item in value]
    else:
        found = [text(item) for item in (text(value) or "").split(";")]
    return list(dict.fromkeys(name for name in found if name is not None))


def folded(name: str) -> str:
    """Normalise the spelling of a name.

    Case does not matter, '_' and '-' become blanks, and several blanks become one.
    """
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())


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
            places = (f"{name!r} ({_rows(used[name])})" for name in group)
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


def _rows(places: Sequence[tuple[str, int]]) -> str:
    file, row = places[0]
    return f"row {row} of {file}" if len(places) == 1 else f"{len(places)} rows, the first is row {row} of {file}"
