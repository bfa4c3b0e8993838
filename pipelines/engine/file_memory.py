"""What was found out of files outside the workspace, remembered as long as they do not change."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

FileKey = tuple[str, str, int, int]
"""Kind of what is remembered, absolute path, size in bytes, modification time in ns."""


class FileMemory:
    """Texts remembered by (kind, path, size, modification time) in one JSON-lines file.

    A forgotten or damaged memory costs time, never a wrong answer: of a file whose size or time changed
    nothing is known. A folder's time changes when files are added to it or removed. A memory that can not be read or
    written (a shared workspace, a full disk) ends nothing either: then things are known to this process alone.

    Args:
        file: where the lines stand; made when something is put.
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
            except (ValueError, TypeError):
                continue

    def get(self, key: FileKey) -> str | None:
        """What is known under a key of :func:`file_key`."""
        return self._known.get(key)

    def put(self, key: FileKey, value: str) -> None:
        """Remember it; for this process alone where the file can not be written."""
        self._known[key] = value
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps([*key, value]) + "\n")


def file_key(kind: str, path: Path) -> FileKey:
    """The file as it is now. Take it before the file is read: a change in between must not go unnoticed."""
    stat = path.stat()
    return kind, str(path.resolve()), stat.st_size, stat.st_mtime_ns
