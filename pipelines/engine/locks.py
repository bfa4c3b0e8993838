"""Lock a shard, so that one process at a time writes it.

The lock is the operating system's, which a dead process cannot keep. On one host ``flock`` decides. A network disk may
not carry ``flock`` between hosts, so the lock file also names its holder and is touched while it is held. A fresh lock
file of another host is refused; a stale one, whose holder died, is taken over.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from data_manifests.errors import InputError

LEASE_S = 120.0
"""Seconds without a touch after which the lock of another host counts as abandoned."""

_WAIT_S = 0.2
_DYING_S = 5.0


class LockedElsewhere(InputError):
    """Error where another host holds the lock, or seems to."""


class ShardLock:
    """The right to write one shard.

    It is held from :meth:`acquire` until :meth:`release` or the death of the process.

    Args:
        path: the lock file.
        break_lock: take over a fresh lock of another host.
    """

    def __init__(self, path: Path, *, break_lock: bool = False) -> None:
        self._path = path
        self._break = break_lock
        self._file: int | None = None
        self._stop = threading.Event()
        self._heart: threading.Thread | None = None

    def acquire(self) -> bool:
        """Take the lock if it is free.

        Returns:
            False when another process of this host holds it.

        Raises:
            LockedElsewhere: another host's lease on it is fresh and ``break_lock`` was not given.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        try:
            self._refuse_foreign_lease(file)
        except LockedElsewhere:
            os.close(file)
            raise
        os.ftruncate(file, 0)
        os.pwrite(file, json.dumps({"host": socket.gethostname(), "pid": os.getpid()}).encode(), 0)
        self._file = file
        self._stop.clear()
        self._heart = threading.Thread(target=self._beat, args=(file,), daemon=True)
        self._heart.start()
        return True

    def release(self) -> None:
        """Release the lock; do nothing when it is not held."""
        if self._file is None:
            return
        self._stop.set()
        if self._heart is not None:
            self._heart.join()
        os.ftruncate(self._file, 0)
        os.close(self._file)
        self._file = None

    def __enter__(self) -> ShardLock:
        """Return the lock itself, after a successful :meth:`acquire`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the lock."""
        self.release()

    def _refuse_foreign_lease(self, file: int) -> None:
        text = os.pread(file, 4096, 0)
        if not text or self._break:
            return
        holder = _named_in(text)
        age = time.time() - os.fstat(file).st_mtime
        if holder.get("host") not in (None, socket.gethostname()) and age < LEASE_S:
            seen = f"{age:.0f} s ago" if age >= 0 else f"{-age:.0f} s ahead of this host's clock"
            raise LockedElsewhere(
                f"{self._path} is held by process {holder.get('pid')} on host {holder.get('host')}, "
                f"seen {seen} (a lock is abandoned after {LEASE_S:.0f} s). "
                "Wait for it, or pass --break-lock if that process is surely dead."
            )

    def _beat(self, file: int) -> None:
        while not self._stop.wait(LEASE_S / 4):
            with suppress(OSError):
                os.utime(file)


@contextmanager
def exclusive_lock(path: Path, while_waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock of a file or folder while it is changed.

    Other processes that want the same lock wait, also those of other hosts. Read the file or folder again inside the
    block: another process may have changed it during the wait. The lock file lies in ``.locks`` beside ``path``.

    The lease of another host is watched, not only dated: one that nobody touches for :data:`LEASE_S` seconds of the
    wait is abandoned, whatever the clocks of both hosts say.

    Args:
        path: file or folder that is made or changed.
        while_waiting: called repeatedly while another process holds the lock; an exception that it raises ends the
            wait.
    """
    file = _lock_file(path)
    lock, touched, since = ShardLock(file), _touched(file), time.monotonic()
    while True:
        try:
            if lock.acquire():
                break
        except LockedElsewhere:
            if _touched(file) != touched:
                touched, since = _touched(file), time.monotonic()
            elif time.monotonic() - since >= LEASE_S:
                lock = ShardLock(file, break_lock=True)
        while_waiting()
        time.sleep(_WAIT_S)
    with lock:
        yield


def said_once(say: Callable[[str], None], text: str) -> Callable[[], None]:
    """Return a function that says a text once.

    It is for :func:`exclusive_lock` to call while it waits.
    """
    left = [text]

    def wait() -> None:
        if left:
            say(left.pop())

    return wait


def _touched(file: Path) -> int | None:
    with suppress(OSError):
        return file.stat().st_mtime_ns
    return None


def holder_of(path: Path) -> str | None:
    """Return the holder of a path's :func:`exclusive_lock`; None without one.

    The text is such as 'process 4711 on host node-7'. The lock is only read, not taken. A process that was killed less
    than :data:`LEASE_S` seconds ago still counts.
    """
    file = _lock_file(path)
    try:
        text, age = file.read_bytes(), time.time() - file.stat().st_mtime
    except OSError:
        return None
    found = _named_in(text)
    if age >= LEASE_S or not {"pid", "host"} <= set(found):
        return None
    return f"process {found['pid']} on host {found['host']}"


def free_lock(path: Path, holder: str) -> None:
    """Free the lock of a dead process before its lease ends.

    Args:
        path: file or folder whose lock it is.
        holder: the process, as :func:`holder_of` names it; the lock of another one is left.
    """
    end = time.monotonic() + _DYING_S
    while holder_of(path) == holder and time.monotonic() < end:
        lock = ShardLock(_lock_file(path), break_lock=True)
        if lock.acquire():
            lock.release()
        else:  # a process of this host that was killed, but has not ended yet
            time.sleep(_WAIT_S)


def _lock_file(path: Path) -> Path:
    return path.parent / ".locks" / f"{path.name}.lock"


def _named_in(text: bytes) -> dict[str, object]:
    with suppress(ValueError, TypeError, RecursionError):
        return dict(json.loads(text))
    return {}
