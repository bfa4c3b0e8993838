"""Remove folders of a workspace that no other process writes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from data_manifests.errors import InputError
from pipelines.engine.locks import ShardLock


class InUse(InputError):
    """Error where another process writes what is to be removed."""


def everything_in(folder: Path) -> Iterator[Path]:
    """List files and folders at any depth.

    What another process removes meanwhile is left out.
    """
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield Path(place, name)


def size_of(path: Path) -> int:
    """Compute the size of a file or folder in bytes.

    A file that vanishes meanwhile counts nothing.
    """
    files = [path] if path.is_file() else [file for file in everything_in(path) if not file.is_symlink()]
    total = 0
    for file in files:
        with suppress(FileNotFoundError):
            total += file.stat().st_size if file.is_file() else 0
    return total


def remove_unused(paths: Iterable[Path], root: Path) -> None:
    """Remove files and folders, or none of them.

    The locks of all of them are held meanwhile. Folders above them that get empty are removed too, below ``root``.

    Raises:
        InUse: another process holds a lock; it is named, and nothing is removed.
        LockedElsewhere: a process of another host does.
    """
    paths = list(paths)
    with ExitStack() as held:
        for file in sorted({file for path in paths for file in _lock_files(path)}):
            lock = ShardLock(file)
            if not lock.acquire():
                raise InUse(f"{file.parents[1]}: another process writes here at the moment; nothing was removed.")
            held.enter_context(lock)
        for path in paths:
            if path.is_dir() and not path.is_symlink():
                with suppress(FileNotFoundError):  # another gc removes it too
                    shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            _own_lock(path).unlink(missing_ok=True)
    for path in paths:
        with suppress(OSError):  # another process removes or fills them just now
            _remove_empty(path.parent, root)


def _remove_empty(folder: Path, root: Path) -> None:
    locks = folder / ".locks"
    while folder != root and folder.is_dir() and set(folder.iterdir()) <= {locks}:
        if locks.is_dir():
            if any(locks.iterdir()):
                return
            locks.rmdir()
        folder.rmdir()
        folder = folder.parent
        locks = folder / ".locks"


def _lock_files(path: Path) -> list[Path]:
    inside = [file for file in everything_in(path) if file.parent.name == ".locks" and file.suffix == ".lock"]
    return [*inside, *(file for file in [_own_lock(path)] if file.is_file())]


def _own_lock(path: Path) -> Path:
    return path.parent / ".locks" / f"{path.name}.lock"
