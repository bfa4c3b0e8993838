"""A process that has ended, for what such a process leaves behind."""

from __future__ import annotations

import os


def ended_process() -> int:
    """Return the id of a process that has ended."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid
