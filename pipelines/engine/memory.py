"""Memory that is free but kept: what a long stage would grow by."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache


def release_memory() -> None:
    """Give freed memory back to the system, where the C library can be asked to (glibc).

    Pictures and tensors of ever other sizes leave holes between what lives longer, and glibc keeps them: without this a
    process that embeds grows with every frame, though nothing holds the memory.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, TypeError, AttributeError):  # another C library: musl, macOS', Windows'
        return None
    return found
