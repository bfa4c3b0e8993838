"""Read a remote file by blocks kept on disk."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import Any

from data_manifests.remote.access import beat, current
from data_manifests.remote.blocks import Blocks
from data_manifests.remote.stores import Entry, Ranges

BLOCK = 4 << 20
"""Bytes of a block: one request of an object store."""


class RemoteFile(io.RawIOBase):
    """Open remote file, for reading.

    Blocks that are not kept yet are asked for. A server that sends whole files only is asked for the whole file once.

    Args:
        url: address of the file.
        name: its file name; FFmpeg guesses the form of raw streams by its ending.
        entry: its facts.
    """

    def __init__(self, url: str, name: str, entry: Entry) -> None:
        super().__init__()
        access = current()
        self.name = name
        self._url, self._size = url, entry.size
        self._key = hashlib.sha256(f"{url}\n{entry.size}\n{entry.version}".encode()).hexdigest()[:40]
        self._ranges = Ranges(url, entry)
        self._kept = Blocks(Path(access.scratch), access.limit)
        self._at = 0
        self._block: tuple[int, bytes] = (-1, b"")
        self._whole: int | None = None

    def readable(self) -> bool:
        """Return True: it is open for reading."""
        return True

    def seekable(self) -> bool:
        """Return True: blocks are read in any order."""
        return True

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position, as in a local file."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise OSError(f"{self._url}: position {start + offset} is before the start")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read up to the end of the current block.

        Raises:
            RemoteError: the bytes did not come.
        """
        view = memoryview(buffer).cast("B")
        left = min(len(view), self._size - self._at)
        if left <= 0:
            return 0
        number, inside = divmod(self._at, BLOCK)
        data = self._of_block(number)[inside : inside + left]
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        """Close the file."""
        if self._whole is not None:
            os.close(self._whole)
            self._whole = None
        super().close()

    def _of_block(self, number: int) -> bytes:
        if self._block[0] != number:
            self._block = number, self._fetched(number)
        return self._block[1]

    def _fetched(self, number: int) -> bytes:
        beat()
        start = number * BLOCK
        size = min(BLOCK, self._size - start)
        if not self._ranges.refused:
            kept = self._kept.get(self._key, number, size)
            if kept is not None:
                return kept
            data = self._ranges.read(start, size)
            if not self._ranges.refused:
                self._kept.put(self._key, number, data)
                return data
        if self._whole is None:
            self._whole = self._kept.whole(f"{self._key}-whole", self._size, self._url, self._ranges.download)
        return os.pread(self._whole, size, start)
