"""Return freed memory to the system, so that stages do not grow."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache


def release_memory() -> None:
    """Return freed memory to the system, where the C library is glibc.

    Pictures and tensors of many sizes leave holes between objects that live longer, and glibc keeps the holes. Without
    this call a process that embeds grows with every frame, although no object holds the memory.
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
