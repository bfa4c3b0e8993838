"""Write and read shards: Parquet files with a key in their footer.

A shard is complete exactly when its file exists under its final name; a rename commits it. Its footer holds the key
(from stage, version, parameters and inputs), the digest of its own rows, row and failure counts and the provenance.
Its side parts lie in folders beside it and are renamed first.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data_manifests.errors import InputError
from pipelines.engine.atomic import fsync_folder
from pipelines.engine.digest import canonical_json, update_with_table
from pipelines.engine.leftovers import remove_leftovers, temporary_name

_FOOTER = b"xmic"
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
    try:
        metadata = pq.read_metadata(path)
    except FileNotFoundError:
        raise
    except _UNREADABLE as error:
        if _is_of_the_machine(error):
            raise
        raise DamagedShard(f"{path}: not a whole Parquet file ({error})") from None
    _check_length(path, metadata)
    stored = (metadata.metadata or {}).get(_FOOTER)
    if stored is None:
        raise DamagedShard(f"{path}: a Parquet file that xmic did not write (no 'xmic' entry in its footer)")
    try:
        footer = Footer(**json.loads(stored))
    except (ValueError, TypeError) as error:
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
    aside = path.with_name(path.name + ".damaged")
    path.replace(aside)
    return aside


def read_rows(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read all rows of a shard or side part, with page checksums.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedShard: a checksum or the file structure is wrong. The file is renamed to ``*.damaged``, which the message
            reports.
    """
    try:
        return pq.read_table(path, columns=list(columns) if columns else None, page_checksum_verification=True)
    except FileNotFoundError:
        raise
    except _UNREADABLE as error:
        if _is_of_the_machine(error):
            raise
        raise _damaged(path, error) from None


def iter_rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Read a shard's row groups one by one; check as :func:`read_rows`."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for group in range(file.num_row_groups):
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


class PartWriter:
    """Write one Parquet file, digest its rows, and commit by a rename."""

    def __init__(self, final: Path, layout: Layout) -> None:
        final.parent.mkdir(parents=True, exist_ok=True)
        # A shard is written under its lock.
        remove_leftovers(final.parent, f".{final.name}.", ".tmp", locked=True)
        self.final = final
        self.rows = 0
        self._temporary = final.parent / temporary_name(f".{final.name}.", ".tmp")
        self._layout = layout
        self._digest = hashlib.sha256()
        self._pending: list[pa.Table] = []
        self._pending_rows = 0
        self._writer = pq.ParquetWriter(
            self._temporary,
            layout.schema,
            compression="NONE" if layout.compression == "none" else layout.compression,
            use_dictionary=not layout.plain,
            write_statistics=not layout.plain,
            write_page_checksum=True,
        )

    def write(self, rows: pa.Table | Sequence[Mapping[str, Any]]) -> None:
        """Append rows (a table of the layout's schema, or plain dicts)."""
        if not isinstance(rows, pa.Table):
            rows = pa.Table.from_pylist([dict(row) for row in rows], schema=self._layout.schema)
        self._pending.append(rows)
        self._pending_rows += rows.num_rows
        while self._pending_rows >= self._layout.row_group:
            self._flush(self._layout.row_group)

    def _flush(self, count: int) -> None:
        table = pa.concat_tables(self._pending)
        head, tail = table.slice(0, count), table.slice(count)
        update_with_table(self._digest, head)
        self._writer.write_table(head.combine_chunks(), row_group_size=self._layout.row_group)
        self.rows += head.num_rows
        self._pending, self._pending_rows = ([tail], tail.num_rows) if tail.num_rows else ([], 0)

    def finish(self, metadata: Mapping[str, Any] | None = None) -> str:
        """Close the temporary file, check it, and return its rows' digest.

        The footer holds ``metadata``, the digest and the row count.
        """
        if self._pending_rows:
            self._flush(self._pending_rows)
        digest = self._digest.hexdigest()
        entry = {**(metadata or {}), "digest": digest, "rows": self.rows}
        self._writer.add_key_value_metadata({_FOOTER.decode(): canonical_json(entry)})
        self._writer.close()
        with self._temporary.open("rb") as file:
            os.fsync(file.fileno())
        if pq.read_metadata(self._temporary).num_rows != self.rows:
            raise InputError(f"{self._temporary}: the disk did not keep what was written to it")
        return digest

    def commit(self) -> None:
        """Rename the finished file to its final name."""
        self._temporary.replace(self.final)
        fsync_folder(self.final.parent)

    def discard(self) -> None:
        """Close and remove the temporary file."""
        with suppress(Exception):
            self._writer.close()
        self._temporary.unlink(missing_ok=True)


class ShardWriter:
    """Write a shard with its side parts and failure rows.

    Use as a context manager: leaving the block without an error commits the shard.

    Attributes:
        provenance: what made the rows beyond the parameters; a stage may add to it before the block ends.
    """

    def __init__(
        self,
        path: Path,
        layout: Layout,
        sides: Mapping[str, Layout],
        *,
        stage: str,
        version: int,
        params: Mapping[str, Any],
        inputs: Mapping[str, str],
        attempted: int,
        provenance: Mapping[str, Any],
        environment: Mapping[str, Any],
    ) -> None:
        self.path = path
        self.provenance: dict[str, Any] = dict(provenance)
        self.attempted = attempted
        self.failures: dict[str, int] = {}
        self._footer = {
            "stage": stage,
            "version": version,
            "key": shard_key(stage, version, params, inputs),
            "params": dict(params),
            "inputs": dict(inputs),
            "environment": dict(environment),
        }
        self._main = PartWriter(path, layout)
        self._sides = {name: PartWriter(side_path(path, name), sides[name]) for name in sides}

    @property
    def rows(self) -> int:
        """Rows committed to row groups so far."""
        return self._main.rows

    def write(self, rows: pa.Table | Sequence[Mapping[str, Any]]) -> None:
        """Append rows to the shard."""
        self._main.write(rows)

    def write_side(self, side: str, rows: pa.Table | Sequence[Mapping[str, Any]]) -> None:
        """Append rows to a side part."""
        self._sides[side].write(rows)

    def fail(
        self,
        reason: str,
        error: str,
        *,
        video_id: str | None = None,
        clip_id: str | None = None,
        pts: int | None = None,
        rows: int = 1,
    ) -> None:
        """Record failed rows in the side part 'failures', which must be declared."""
        row = {
            "video_id": video_id,
            "clip_id": clip_id,
            "pts": pts,
            "reason": reason,
            "error": error,
            "rows": rows,
        }
        self._sides["failures"].write([row])
        self.failures[reason] = self.failures.get(reason, 0) + rows

    def __enter__(self) -> ShardWriter:
        """Return the writer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commit, or discard everything when an exception leaves the block."""
        try:
            if kind is None:
                self._commit()
        finally:  # a commit that fails, on a full disk for instance, must not leave its half there
            for part in (*self._sides.values(), self._main):
                part.discard()

    def _commit(self) -> None:
        counts = {"attempted": self.attempted, "failures": dict(sorted(self.failures.items()))}
        sides = {name: part.finish() for name, part in self._sides.items()}
        self._main.finish({**self._footer, **counts, "provenance": self.provenance, "sides": sides})
        for part in self._sides.values():
            part.commit()
        self._main.commit()


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
        metadata = pq.read_metadata(side_path(path, side))
    except (OSError, pa.ArrowException):
        return None
    stored = (metadata.metadata or {}).get(_FOOTER)
    return json.loads(stored)["digest"] if stored else None
