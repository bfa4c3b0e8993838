"""What the kernel says of this process's memory."""

from __future__ import annotations

from pathlib import Path

STATUS = Path("/proc/self/status")


def of_status(name: str) -> int | None:
    """A line of it in bytes: ``VmRSS`` is what is in use now, ``VmHWM`` the most so far; None where it is not Linux."""
    if not STATUS.is_file():
        return None
    lines = STATUS.read_text(encoding="utf-8").splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])
