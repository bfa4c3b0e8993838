"""Print what a silent command waits for at its start."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from xmic_cli import console

AFTER_S = 1.0
"""Seconds of silence after which a person wants to know."""


@contextmanager
def starting_note() -> Iterator[None]:
    """Print a line on a terminal if nothing else is seen.

    It comes after a second of silence, and logs have none. It names torch, whose import takes longest, while that is
    going on.
    """
    if not sys.stderr.isatty():
        yield
        return
    timer = threading.Timer(AFTER_S, _say)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _say() -> None:
    if not console.SHOWN.is_set():
        console.note("loading torch …" if _importing_torch() else "starting …")


def _importing_torch() -> bool:
    spec = getattr(sys.modules.get("torch"), "__spec__", None)
    return bool(getattr(spec, "_initializing", False))
