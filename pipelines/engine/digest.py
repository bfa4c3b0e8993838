"""Content digests: what keys are made of. The same rows give the same digest on every machine."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.engine.file_memory import FileMemory, file_key

_MIB = 1 << 20


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces, so that equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_json(value: Any) -> str:
    """sha256 (hex) of the canonical JSON of a value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def number_of(text: str) -> int:
    """A 64-bit number that a text stands for in draws: the first 8 bytes of its sha256, big endian."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def update_with_table(digest: Any, table: pa.Table) -> None:
    """Feed the rows of a table into a hash object as one Arrow record batch.

    The table is copied into fresh arrays first: a slice may carry the offsets and validity
    buffers of its parent, and those must not reach the digest.
    """
    if table.num_rows == 0:
        return
    fresh = table.take(pa.array(range(table.num_rows), pa.int64())).combine_chunks().replace_schema_metadata()
    for batch in fresh.to_batches():
        digest.update(batch.serialize())


def digest_table(table: pa.Table) -> str:
    """sha256 (hex) of a table's column names, types and rows, blind to its chunking and metadata."""
    digest = hashlib.sha256(str(table.schema.remove_metadata()).encode())
    update_with_table(digest, table)
    return digest.hexdigest()


def digest_groups(table: pa.Table, by: str, columns: Iterable[str]) -> dict[str, str]:
    """One digest for the rows of each value of column ``by``, over the given columns only.

    Rows keep their order within a group, so a row added to one video changes that video's digest only.
    """
    rows: dict[str, list[int]] = {}
    for index, value in enumerate(table.column(by).to_pylist()):
        rows.setdefault(value, []).append(index)
    chosen = table.select(list(columns))
    return {value: digest_table(chosen.take(pa.array(indices, pa.int64()))) for value, indices in rows.items()}


def head_and_tail_sha256(path: Path) -> str:
    """sha256 (hex) of the first and the last MiB of a file: cheap, and enough to tell videos apart."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        digest.update(file.read(_MIB))
        size = file.seek(0, os.SEEK_END)
        if size > _MIB:
            file.seek(max(_MIB, size - _MIB))
            digest.update(file.read(_MIB))
    return digest.hexdigest()


def listing_sha256(folder: Path) -> str:
    """sha256 (hex) of a folder's file names, and of the size and the ends of the first and the last of them.

    Cheap for a folder of 200,000 pictures; a file in the middle that is replaced under its name goes unnoticed.
    """
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    ends = [folder / name for name in dict.fromkeys([*names[:1], *names[-1:]]) if (folder / name).is_file()]
    return digest_json([names, [[path.stat().st_size, head_and_tail_sha256(path)] for path in ends]])


def whole_file_sha256(path: Path) -> str:
    """sha256 (hex) of a whole file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class FileDigests:
    """Digests of files, read once and remembered in ``memory``."""

    def __init__(self, memory: FileMemory) -> None:
        self._memory = memory

    def whole(self, path: Path) -> str:
        """sha256 (hex) of the whole file."""
        return self._remembered("whole", path, whole_file_sha256)

    def head_and_tail(self, path: Path) -> str:
        """sha256 (hex) of the file's first and last MiB."""
        return self._remembered("ends", path, head_and_tail_sha256)

    def listing(self, path: Path) -> str:
        """:func:`listing_sha256` of a folder."""
        return self._remembered("listing", path, listing_sha256)

    def _remembered(self, kind: str, path: Path, digest: Callable[[Path], str]) -> str:
        key = file_key(kind, path)
        known = self._memory.get(key)
        if known is None:
            known = digest(path)
            self._memory.put(key, known)
        return known
