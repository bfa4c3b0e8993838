"""Seal the footer of a Parquet file with its sha256.

Page checksums cover a file's rows, but nothing covers its footer: one flipped bit there can end the process inside
the Parquet library. So the digest of the footer is put before it, in bytes that no reader looks at, and is compared
before the library sees the file. Files without a seal are of an older version, and are read as they are.
"""

from __future__ import annotations

import hashlib
import os
import struct
from pathlib import Path
from typing import BinaryIO

SEAL = b"xmic footer seal"
_TAIL, _DIGEST = 8, 32
_FAR = 1 << 20


def seal_footer(path: Path) -> None:
    """Put the digest of a Parquet file's footer before the footer."""
    with path.open("r+b") as file:
        start, footer = _footer(file)
        file.seek(start)
        file.write(SEAL + hashlib.sha256(footer).digest() + footer)


def is_footer_damaged(path: Path) -> bool:
    """Check a Parquet file's footer against its seal.

    A file without a seal counts as whole.

    Raises:
        FileNotFoundError: there is no such file.
    """
    with path.open("rb") as file:
        try:
            start, footer = _footer(file)
        except ValueError:
            return _sealed_elsewhere(file)
        seal = len(SEAL) + _DIGEST
        if start < seal:
            return False
        file.seek(start - seal)
        found = file.read(seal)
        if found[: len(SEAL)] != SEAL:
            return _sealed_elsewhere(file)
        return found[len(SEAL) :] != hashlib.sha256(footer).digest()


def _footer(file: BinaryIO) -> tuple[int, bytes]:
    """Return where the footer begins, and it with its length and the closing magic."""
    size = file.seek(0, os.SEEK_END)
    if size < _TAIL:
        raise ValueError("no room for a footer")
    file.seek(size - _TAIL)
    (length,) = struct.unpack("<I", file.read(4))
    start = size - _TAIL - length
    if start < 0:
        raise ValueError("a footer longer than the file")
    file.seek(start)
    return start, file.read()


def _sealed_elsewhere(file: BinaryIO) -> bool:
    """Return True if there is a seal at the end of the file, so that the footer's stated length is wrong."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _FAR))
    return SEAL in file.read()
