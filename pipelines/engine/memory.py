"""Keep freed memory between batches, and return it between stages."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from functools import cache
from typing import Any

USERS = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_MAX_", "MALLOC_TOP_PAD_")
"""Environment variables by which a user sets what glibc keeps; where one of them is set, nothing is changed."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_KEPT, _MOST_KEPT = 1 << 30, (1 << 31) - 1


def keep_memory() -> None:
    """Keep freed memory for the next batch of a network.

    glibc returns large blocks to the system when they are freed. Each batch would get its memory anew, page by page,
    which takes up to a quarter of a small network's time on a CPU. :func:`release_memory` returns it all the same.
    Nothing is done where the C library is another one.
    """
    if any(name in os.environ for name in USERS) or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return
    set_option = _of_glibc("mallopt")
    if set_option is not None:
        set_option(_MMAP_THRESHOLD, _LARGEST_KEPT)
        set_option(_TRIM_THRESHOLD, _MOST_KEPT)


def release_memory() -> None:
    """Return freed memory to the system, where the C library is glibc.

    Pictures and tensors of many sizes leave holes between objects that live longer, and glibc keeps the holes. Without
    this call a process that embeds grows with every frame, although no object holds the memory.
    """
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


@cache
def _of_glibc(function: str) -> Callable[..., Any] | None:
    try:
        library = ctypes.CDLL(None)
        found: Callable[..., Any] = getattr(library, function)
        _ = library.malloc_trim  # other C libraries have a mallopt of other numbers
    except (OSError, TypeError, AttributeError):  # musl, macOS', Windows'
        return None
    return found
