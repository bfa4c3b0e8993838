"""Name temporary files by their writer, and remove those of dead writers."""

from __future__ import annotations

import os
import shutil
import socket
from contextlib import suppress
from glob import escape
from pathlib import Path


def temporary_name(start: str, end: str = "") -> str:
    """Name a file or folder that no other process writes: ``<start><host>-<pid><end>``."""
    return f"{start}{socket.gethostname()}-{os.getpid()}{end}"


def remove_leftovers(folder: Path, start: str, end: str = "", *, locked: bool = False) -> None:
    """Remove the temporary files and folders of killed processes.

    Args:
        folder: folder of the temporary files; it need not exist.
        start: start of the name, as for :func:`temporary_name`.
        end: end of the name.
        locked: the caller holds the lock that every writer of such names takes. Then all of them are removed,
            whatever process or host wrote them; else only those of dead processes of this host.
    """
    for path in folder.glob(f"{escape(start)}*{escape(end)}"):
        if not locked and not _is_of_the_dead(path.name.removeprefix(start).removesuffix(end)):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):  # in a folder that is read-only it disturbs nobody
                path.unlink()


def is_left_over(path: Path) -> bool:
    """Return whether a path has the temporary name of a killed process.

    The process was one of this host.
    """
    writer = path.name.removesuffix(".tmp")
    host, _, _ = writer.rpartition("-")
    mine = socket.gethostname()
    return host.endswith((f".{mine}", f"-{mine}")) and _is_of_the_dead(writer[len(host) - len(mine) :])


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
