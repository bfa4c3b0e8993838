"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def fsync_folder(folder: Path) -> None:
    """Make a rename inside ``folder`` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def replace_atomically(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder; leaving the block without error renames it to ``path``.

    A reader sees the old file or the new one, never a part; after an error the temporary file is gone. The error of a
    full disk, which comes without a file name, gets that of ``path``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    temporary = path.parent / f".{path.name}.{socket.gethostname()}-{os.getpid()}.tmp"
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT) and error.filename is None:
            error.filename = str(path)
        raise
    fsync_folder(path.parent)


def _remove_leftovers(path: Path) -> None:
    """Remove the temporary files of processes of this host that were killed while they wrote ``path``."""
    start = f".{path.name}.{socket.gethostname()}-"
    for left in path.parent.glob(f"{start}*.tmp"):
        pid = left.name.removeprefix(start).removesuffix(".tmp")
        try:
            os.kill(int(pid), 0)
        except (ProcessLookupError, ValueError):
            left.unlink(missing_ok=True)
        except PermissionError:
            continue
