"""Write CSV text that no spreadsheet runs as a formula."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Characters that a spreadsheet reads as the start of a formula, or skips before one."""


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Write a table as CSV text, with a header line.

    None becomes an empty cell. A text that begins like a formula gets a ' before it.
    """
    return "".join(",".join(_cell(value) for value in row) + "\n" for row in (columns, *rows))


def as_no_formula(text: str) -> str:
    """Put a ' before a text that a spreadsheet would run."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    if isinstance(value, str):  # the minus of a number is no formula
        text = as_no_formula(text)
    # Python's csv module leaves a lone carriage return unquoted, at which readers begin a new row.
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\r\n') else text
