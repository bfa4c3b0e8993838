"""Read shards: Parquet files with a key in their footer.

A shard is complete exactly when its file exists under its final name; a rename commits it. Its footer holds the key
(from stage, version, parameters and inputs), the digest of its own rows, row and failure counts and the provenance.
Its side parts lie in folders beside it and are renamed first. :mod:`pipelines.engine.shard_writer` writes them.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data_manifests.errors import InputError
from pipelines.engine.digest import canonical_json, update_with_table
from pipelines.engine.footer_seal import is_footer_damaged

FOOTER = b"xmic"
"""Name of the entry in a Parquet file's metadata that holds a shard's footer."""

DAMAGED = ".damaged"
"""Ending of a damaged file that was set aside."""

_UNREADABLE = (pa.ArrowException, OSError, UnicodeDecodeError)  # the last for a column name that is no text


@dataclass(frozen=True)
class Layout:
    """Schema, rows per row group, and codec of a kind of shard."""

    schema: pa.Schema
    row_group: int = 4096
    compression: str = "zstd"
    plain: bool = False
    """True for vectors and images: no dictionary, no statistics (10 times faster to read)."""


FAILURES = pa.schema(
    [
        ("video_id", pa.string()),
        ("clip_id", pa.string()),
        ("pts", pa.int64()),
        ("reason", pa.string()),
        ("error", pa.string()),
        ("rows", pa.int32()),
    ]
)
"""A failure row: the failed video, clip or frame, reason code, error text, and number of attempted rows."""

FAILURES_LAYOUT = Layout(FAILURES)

TRANSIENT = frozenset({"timeout", "worker_killed", "out_of_memory", "io_error"})
"""Reasons that may not come again: the next run tries a shard with one of them again."""

NOT_COUNTED_AS_FAILURE = frozenset({"missing_video"})
"""Reasons that do not count against ``--max-failures``: a partial download is not a fault."""


class DamagedShard(InputError):
    """A shard whose bytes are not what was written."""


@dataclass(frozen=True)
class Footer:
    """A shard's own record of its inputs and contents.

    ``failures`` maps a reason code to failed rows, ``inputs`` a name to a content digest, and ``sides`` a side part to
    the digest of its rows.
    """

    stage: str
    version: int
    key: str
    digest: str
    rows: int
    attempted: int
    failures: Mapping[str, int]
    params: Mapping[str, Any]
    inputs: Mapping[str, str]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    sides: Mapping[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether the shard has no transient failure."""
        return not TRANSIENT & set(self.failures)


def shard_key(stage: str, version: int, params: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
    """Compute the key of a shard: a sha256 (hex).

    It covers the stage, its schema version, the parameters and the digests of the inputs.
    """
    text = canonical_json({"stage": stage, "version": version, "params": params, "inputs": inputs})
    return hashlib.sha256(text.encode()).hexdigest()


def side_path(path: Path, side: str) -> Path:
    """Return the path of a shard's side part.

    The side parts of a shard ``part-<group>.parquet`` have the same name, in folders beside it. Those of a single file
    such as ``clips.parquet`` are files beside it.
    """
    if path.name.startswith("part-"):
        return path.parent / side / path.name
    return path.with_name(f"{side}.parquet")


def read_footer(path: Path) -> Footer:
    """Read a shard's footer and check the file's length against it.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedShard: the file is truncated, not Parquet, or not written by xmic.
    """
    if is_footer_damaged(path):
        raise DamagedShard(f"{path}: not a whole Parquet file (its footer is not the one that was written)")
    try:
        metadata = pq.read_metadata(path)
    except FileNotFoundError:
        raise
    except _UNREADABLE as error:
        if _is_of_the_machine(error):
            raise
        raise DamagedShard(f"{path}: not a whole Parquet file ({error})") from None
    _check_length(path, metadata)
    stored = (metadata.metadata or {}).get(FOOTER)
    if stored is None:
        raise DamagedShard(f"{path}: a Parquet file that xmic did not write (no 'xmic' entry in its footer)")
    try:
        footer = Footer(**json.loads(stored))
    except (ValueError, TypeError, RecursionError) as error:
        raise DamagedShard(f"{path}: its footer is not that of a shard ({error})") from None
    if footer.rows != metadata.num_rows:
        raise DamagedShard(f"{path}: footer says {footer.rows} rows, the file has {metadata.num_rows}")
    return footer


def _check_length(path: Path, metadata: pq.FileMetaData) -> None:
    end = 4
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        for column in range(row_group.num_columns):
            chunk = row_group.column(column)
            start = chunk.dictionary_page_offset or chunk.data_page_offset
            end = max(end, start + chunk.total_compressed_size)
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(size - 8)
        (footer_length,) = struct.unpack("<I", file.read(4))
    if end + footer_length + 8 > size:
        raise DamagedShard(f"{path}: {size} bytes, shorter than its row groups say")


def set_aside(path: Path) -> Path:
    """Rename a damaged shard to ``*.damaged``, so that its stage remakes it."""
    aside = path.with_name(path.name + DAMAGED)
    path.replace(aside)
    return aside


def read_rows(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read all rows of a shard or side part, with page checksums.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedShard: a checksum or the file structure is wrong. The file is renamed to ``*.damaged``, which the message
            reports.
    """
    _require_footer(path)
    try:
        return pq.read_table(path, columns=list(columns) if columns else None, page_checksum_verification=True)
    except FileNotFoundError:
        raise
    except _UNREADABLE as error:
        if _is_of_the_machine(error):
            raise
        raise _damaged(path, error) from None


def iter_rows(
    path: Path, columns: Sequence[str] | None = None, groups: Sequence[int] | None = None
) -> Iterator[pa.Table]:
    """Read row groups of a shard one by one; check as :func:`read_rows`.

    ``groups`` are the numbers of the row groups; None reads all of them.
    """
    _require_footer(path)
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for group in range(file.num_row_groups) if groups is None else groups:
                yield file.read_row_group(group, columns=list(columns) if columns else None)
    except FileNotFoundError:
        raise
    except _UNREADABLE as error:
        if _is_of_the_machine(error):
            raise
        raise _damaged(path, error) from None


def _is_of_the_machine(error: Exception) -> bool:
    """Tell errors of the machine (no memory, no permission, too many open files) from damage of the file."""
    return isinstance(error, MemoryError) or getattr(error, "errno", None) not in (None, errno.EIO)


def _require_footer(path: Path) -> None:
    if is_footer_damaged(path):
        raise _damaged(path, ValueError("its footer is not the one that was written"))


def _damaged(path: Path, error: Exception) -> DamagedShard:
    aside = set_aside(path)
    return DamagedShard(
        f"{path}: damaged on disk ({error}). It was renamed {aside.name}; "
        "run the stage that wrote it again, it will redo this shard only."
    )


def rows_digest(path: Path) -> str:
    """Recompute the digest of a shard's rows, for ``status --verify``."""
    digest = hashlib.sha256()
    for table in iter_rows(path):
        update_with_table(digest, table)
    return digest.hexdigest()


def known_footer(path: Path) -> Footer | None:
    """Read the footer of a shard; None where missing or damaged."""
    try:
        return read_footer(path)
    except (DamagedShard, FileNotFoundError):
        return None


def any_footer(folder: Path) -> Footer | None:
    """Read the footer of a folder's first readable shard; None without one."""
    footers = (known_footer(part) for part in sorted(folder.glob("part-*.parquet")))
    return next((footer for footer in footers if footer is not None), None)


def footer_of_side(path: Path, side: str) -> str | None:
    """Read the digest in a side part's footer; None where unreadable."""
    try:
        if is_footer_damaged(side_path(path, side)):
            return None
        metadata = pq.read_metadata(side_path(path, side))
    except (OSError, pa.ArrowException):
        return None
    stored = (metadata.metadata or {}).get(FOOTER)
    return json.loads(stored)["digest"] if stored else None
