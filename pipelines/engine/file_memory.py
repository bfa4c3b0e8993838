"""Keep facts about files outside the workspace while they are unchanged."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from data_manifests.remote.path import RemotePath

FileKey = tuple[str, str, int, int | str]
"""Kind of the fact, absolute path, size in bytes, modification time in ns; of a remote file its version."""


class FileMemory:
    """Texts by (kind, path, size, modification time) in one JSON-lines file.

    A lost or damaged file costs time and never gives a wrong answer: there is no entry for a file whose size or time
    changed. A folder's time changes when files are added to it or removed. A JSON-lines file that cannot be read or
    written (a shared workspace, a full disk) ends no command; the entries are then known to this process alone.

    Args:
        file: the JSON-lines file; made at the first :meth:`put`.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[FileKey, str] = {}
        lines = []
        with suppress(OSError):
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        for line in lines:
            try:
                kind, path, size, mtime, value = json.loads(line)
                self._known[(kind, path, size, mtime)] = value
            except (ValueError, TypeError, RecursionError):
                continue

    def get(self, key: FileKey) -> str | None:
        """Return the text of a key of :func:`file_key`; None where unknown."""
        return self._known.get(key)

    def put(self, key: FileKey, value: str) -> None:
        """Keep a text under a key of :func:`file_key`.

        It is kept for this process alone where the file cannot be written.
        """
        self._known[key] = value
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps([*key, value]) + "\n")


def file_key(kind: str, path: Path) -> FileKey:
    """Return the key of a file as it is now.

    Compute it before the file is read, so that a change in between is noticed.

    Raises:
        OSError: the file is missing or cannot be looked at.
    """
    stat = path.stat()
    if isinstance(path, RemotePath):
        return kind, str(path), stat.st_size, path.version
    return kind, str(path.resolve()), stat.st_size, stat.st_mtime_ns
