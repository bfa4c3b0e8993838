"""Compute the content digests that keys are made of.

The same rows give the same digest on every machine.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from data_manifests.remote.path import names_in
from pipelines.engine.file_memory import FileMemory, file_key

_MIB = 1 << 20


def canonical_json(value: Any) -> str:
    """Write a value as JSON with sorted keys and no spaces.

    Equal values give equal text.

    Raises:
        ValueError: a number is not finite.
        TypeError: JSON cannot hold the value.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_json(value: Any) -> str:
    """Compute the sha256 (hex) of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def number_of(text: str) -> int:
    """Hash a text to a 64-bit number for random draws.

    The number is the first 8 bytes of the text's sha256, big endian.
    """
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def update_with_table(digest: Any, table: pa.Table) -> None:
    """Update a hash object with the rows of a table.

    The rows are serialised as one Arrow record batch. The table is copied into fresh arrays first: a slice may carry
    the offsets and validity buffers of its parent, and those must not reach the digest.
    """
    if table.num_rows == 0:
        return
    fresh = table.take(pa.array(range(table.num_rows), pa.int64())).combine_chunks().replace_schema_metadata()
    for batch in fresh.to_batches():
        digest.update(batch.serialize())


def digest_table(table: pa.Table) -> str:
    """Compute the sha256 (hex) of a table's schema and rows.

    The schema gives the column names and types. Chunking and metadata do not count.
    """
    digest = hashlib.sha256(str(table.schema.remove_metadata()).encode())
    update_with_table(digest, table)
    return digest.hexdigest()


def digest_groups(table: pa.Table, by: str, columns: Iterable[str]) -> dict[str, str]:
    """Digest the rows of each value of column ``by``.

    Only the given columns count. Rows keep their order within a group, so a row added to one video changes that
    video's digest only.

    Returns:
        Value of ``by`` → sha256 (hex) of its rows.
    """
    groups = rows_by(table.column(by))
    # Sorted once: taking each group's rows from a table of many chunks would cost more than their digest.
    order = np.concatenate([np.empty(0, np.int64), *groups.values()])
    sorted_rows = table.select(list(columns)).take(pa.array(order))
    starts = np.cumsum([0, *map(len, groups.values())])
    return {
        value: digest_table(sorted_rows.slice(start, len(rows)))
        for start, (value, rows) in zip(starts.tolist(), groups.items(), strict=False)
    }


def rows_by(column: pa.ChunkedArray) -> dict[str, np.ndarray]:
    """Find the rows of each value of a column.

    Returns:
        Value → int64 rows, ascending; the values are in the order in which they first appear.
    """
    if not len(column):
        return {}
    coded = column.combine_chunks().dictionary_encode()
    codes = coded.indices.to_numpy()
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes))
    return dict(zip(coded.dictionary.to_pylist(), np.split(order, ends[:-1]), strict=True))


def head_and_tail_sha256(path: Path) -> str:
    """Compute the sha256 (hex) of a file's first and last MiB.

    It is cheap and enough to tell videos apart.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        digest.update(file.read(_MIB))
        size = file.seek(0, os.SEEK_END)
        if size > _MIB:
            file.seek(max(_MIB, size - _MIB))
            digest.update(file.read(_MIB))
    return digest.hexdigest()


def listing_sha256(folder: Path) -> str:
    """Compute the sha256 (hex) of a folder's listing.

    It covers all file names, and the size and both ends of the first and the last file. It is cheap for a folder of
    200,000 pictures. A file in the middle that is replaced under its name goes unnoticed.
    """
    names = sorted(names_in(folder))
    ends = [folder / name for name in dict.fromkeys([*names[:1], *names[-1:]]) if (folder / name).is_file()]
    return digest_json([names, [[path.stat().st_size, head_and_tail_sha256(path)] for path in ends]])


def whole_file_sha256(path: Path) -> str:
    """Compute the sha256 (hex) of a whole file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class FileDigests:
    """Digests of files, computed once and kept in ``memory``."""

    def __init__(self, memory: FileMemory) -> None:
        self._memory = memory

    def whole(self, path: Path) -> str:
        """Return the sha256 (hex) of a whole file."""
        return self._remembered("whole", path, whole_file_sha256)

    def head_and_tail(self, path: Path) -> str:
        """Return the sha256 (hex) of a file's first and last MiB."""
        return self._remembered("ends", path, head_and_tail_sha256)

    def listing(self, path: Path) -> str:
        """Return the :func:`listing_sha256` of a folder."""
        return self._remembered("listing", path, listing_sha256)

    def _remembered(self, kind: str, path: Path, digest: Callable[[Path], str]) -> str:
        key = file_key(kind, path)
        known = self._memory.get(key)
        if known is None:
            known = digest(path)
            self._memory.put(key, known)
        return known
