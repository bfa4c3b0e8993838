"""Write shards: rows, side parts and failures, committed by a rename."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data_manifests.errors import InputError
from pipelines.engine.atomic import fsync_folder
from pipelines.engine.digest import canonical_json, update_with_table
from pipelines.engine.footer_seal import seal_footer
from pipelines.engine.leftovers import remove_leftovers, temporary_name
from pipelines.engine.shards import FOOTER, Layout, shard_key, side_path


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
        self._writer.add_key_value_metadata({FOOTER.decode(): canonical_json(entry)})
        self._writer.close()
        seal_footer(self._temporary)
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
