"""Temporary files and folders that name their writer, and the removal of those whose writer died."""

from __future__ import annotations

import os
import shutil
import socket
from glob import escape
from pathlib import Path


def temporary_name(start: str, end: str = "") -> str:
    """Name a file or folder that no other process writes: ``<start><host>-<pid><end>``."""
    return f"{start}{socket.gethostname()}-{os.getpid()}{end}"


def remove_leftovers(folder: Path, start: str, end: str = "", *, locked: bool = False) -> None:
    """Remove what killed processes left in a folder under a :func:`temporary_name`.

    Args:
        folder: need not be there.
        start: of the name.
        end: of the name.
        locked: the caller holds the lock without which nobody writes such names, so all of them are left over,
            whatever process or host wrote them; else only those of dead processes of this host are.
    """
    for path in folder.glob(f"{escape(start)}*{escape(end)}"):
        if not locked and not _is_of_the_dead(path.name.removeprefix(start).removesuffix(end)):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _is_of_the_dead(writer: str) -> bool:
    host, _, pid = writer.rpartition("-")
    if host != socket.gethostname() or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # another user's process
        pass
    return False
