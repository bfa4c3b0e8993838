"""Write files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipelines.engine.leftovers import remove_leftovers, temporary_name


def fsync_folder(folder: Path) -> None:
    """Make a rename inside ``folder`` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def replace_atomically(path: Path) -> Iterator[Path]:
    """Replace a file by a temporary one in an atomic rename.

    Gives a temporary path in the same folder. Leaving the block without an error renames it to ``path``; after an error
    the temporary file is removed. A reader sees the old file or the new one, never a part. The error of a full disk
    comes without a file name and gets that of ``path``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent, f".{path.name}.", ".tmp")
    temporary = path.parent / temporary_name(f".{path.name}.", ".tmp")
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


def write_if_changed(path: Path, text: str) -> None:
    """Write a text file atomically, unless it has this text.

    So a command that has nothing to do needs no permission to write.
    """
    content = text.encode()
    with suppress(FileNotFoundError):
        if path.read_bytes() == content:
            return
    with replace_atomically(path) as temporary:
        temporary.write_bytes(content)
