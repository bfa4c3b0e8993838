"""Watch what the code under test runs, imports and connects to, by the audit hooks of Python."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_RUNS = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.startfile", "pty.spawn"})
_NAMES = frozenset({"os", "posix", "nt", "builtins", "subprocess", "sys", "shutil"})
HOSTILE_MODULE = "somebody_elses"
"""A module that only hostile files name."""

_seen: list[list[str]] = []


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if not _seen:
        return
    if (
        event in _RUNS
        or event == "socket.getaddrinfo"
        or (event == "socket.connect" and isinstance(args[1], tuple))
        or (event == "pickle.find_class" and args[0] in _NAMES)
        or (event == "import" and str(args[0]).partition(".")[0] == HOSTILE_MODULE)
    ):
        _seen[-1].append(f"{event} {args!r}"[:200])


sys.addaudithook(_hook)


@contextmanager
def watching() -> Iterator[list[str]]:
    """Collect programs run, hostile names looked up or imported, and connections, in this process."""
    _seen.append([])
    try:
        yield _seen[-1]
    finally:
        _seen.pop()
