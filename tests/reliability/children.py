"""Run a function in a child process that is forked from a parent with all modules loaded.

A fork starts in milliseconds, where a new interpreter would import PyTorch for seconds. The child leads a session of
its own, so all that it starts can be found.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CALLS = ("rename", "replace", "fsync", "unlink", "remove", "rmdir", "symlink")
"""System calls that decide what is on the disk after a kill."""

_BROKEN = 70
_OVERDUE_S = 1800.0


@dataclass(frozen=True)
class Child:
    """A running child; ``said`` receives its standard output and error."""

    pid: int
    said: Path

    def wait(self, limit_s: float = _OVERDUE_S) -> int:
        """Wait for the end; return the exit code, or minus the signal."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.005)
        os.killpg(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        raise TimeoutError(f"the child did not end within {limit_s} s: {self.said.read_text()[-2000:]}")

    def runs(self) -> bool:
        """Tell whether it still runs."""
        return self.pid in _session(self.pid)

    def workers(self) -> list[int]:
        """Return its worker processes that run."""
        return [pid for pid in _session(self.pid) if pid != self.pid and _is_worker(pid)]

    def survivors(self, patience_s: float = 120.0) -> list[int]:
        """Return the processes that it started and that outlive it for so long."""
        end = time.monotonic() + patience_s
        while (left := _session(self.pid)) and time.monotonic() < end:
            time.sleep(0.02)
        return left


def start(run: Callable[[], int], said: Path, prepare: Callable[[], None] = lambda: None) -> Child:
    """Fork a child that calls ``prepare`` and then ``run``, whose result is its exit code."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return Child(pid, said)
    code = _BROKEN
    try:
        os.setsid()
        with said.open("wb") as out, Path(os.devnull).open("rb") as nothing:
            for mine, theirs in ((nothing, 0), (out, 1), (out, 2)):
                os.dup2(mine.fileno(), theirs)
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        prepare()
        code = run()
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def on_calls(before: Callable[[int], None], after: Callable[[int], None]) -> None:
    """Call these around every system call of :data:`CALLS` of this process, with its number from 0."""
    numbers = itertools.count()

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            number = next(numbers)
            before(number)
            result = original(*arguments, **options)
            after(number)
            return result

        return run

    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))


def _session(leader: int) -> list[int]:
    """List the living processes of a session."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        with contextlib.suppress(OSError):
            state, _, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(session) == leader and state != "Z":
                found.append(int(folder.name))
    return found


def _is_worker(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False
