"""Describe how this process and its workers may use remote files."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from data_manifests.errors import UsageError

DEFAULT_SIZE = "20GB"
SMALLEST = 64 << 20
"""Bytes that the local copies may take at least: some blocks for each of several processes."""

_VARIABLE = "_XMIC_REMOTE"
_UNITS = {"MB": 10**6, "GB": 10**9, "TB": 10**12}


@dataclass(frozen=True)
class Access:
    """How remote files may be used.

    Attributes:
        scratch: folder of the local copies.
        limit: bytes that all local copies may take together.
        offline: refuse to ask any store.
    """

    scratch: str
    limit: int
    offline: bool = False


def access_by(scratch: Path | None, size: str, *, offline: bool = False) -> Access:
    """Build the access from options.

    Args:
        scratch: folder of the local copies; None is ``xmic/scratch`` in the user's cache.
        size: most that they take together, such as 20GB.
        offline: refuse to ask any store.

    Raises:
        UsageError: the size is none, or too small.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(MB|GB|TB)", size.strip().upper())
    limit = round(float(found[1]) * _UNITS[found[2]]) if found else 0
    if limit < SMALLEST:
        raise UsageError(f"--scratch-size {size}: expected a size of 70MB or more, for instance {DEFAULT_SIZE}")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Access(str((scratch or cache / "xmic" / "scratch").absolute()), limit, offline)


def use(access: Access) -> None:
    """Set the access of this process and of those that it starts."""
    import json  # late: the help needs none

    os.environ[_VARIABLE] = json.dumps(asdict(access))


def current() -> Access:
    """Return the access that was set last, else that of no options."""
    import json

    stored = os.environ.get(_VARIABLE)
    return Access(**json.loads(stored)) if stored else access_by(None, DEFAULT_SIZE)


@contextmanager
def without_network() -> Iterator[None]:
    """Refuse to ask any store inside the block."""
    before = os.environ.get(_VARIABLE)
    use(replace(current(), offline=True))
    try:
        yield
    finally:
        if before is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before


_waiting: list[Callable[[], None]] = []


@contextmanager
def waiting_calls(heartbeat: Callable[[], None]) -> Iterator[None]:
    """Call ``heartbeat`` whenever a part of a remote file has come."""
    _waiting.append(heartbeat)
    try:
        yield
    finally:
        _waiting.pop()


def beat() -> None:
    """Call the heartbeat of :func:`waiting_calls`, if there is one."""
    for heartbeat in _waiting[-1:]:
        heartbeat()
