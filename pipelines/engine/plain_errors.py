"""Describe other programs' errors in one line of text."""

from __future__ import annotations


def in_one_line(error: BaseException) -> str:
    """Return the text of an exception on one line.

    It has at most 200 characters.

    An exception without a text is described by its kind.
    """
    return " ".join(str(error).split())[:200] or type(error).__name__
