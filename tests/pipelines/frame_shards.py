"""Decoded frames of a test's workspace written again: in small row groups, or with frames that are no JPEG."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

Key = tuple[str, int]


def write_again(folder: Path, row_group: int, others: Mapping[Key, bytes] | None = None) -> dict[Key, bytes]:
    """Write the only shard of frames with so many rows a row group, its footer as it was.

    Args:
        folder: of the frames.
        row_group: rows.
        others: bytes in the place of a frame's JPEG, by its (video_id, pts).

    Returns:
        What was there before, in order of the frames.
    """
    (part,) = folder.glob("part-*.parquet")
    table = pq.read_table(part)
    footer = {b"xmic": pq.read_metadata(part).metadata[b"xmic"]}
    rows = table.to_pylist()
    before = {(row["video_id"], row["pts"]): row["jpeg"] for row in rows}
    for row in rows:
        row["jpeg"] = (others or {}).get((row["video_id"], row["pts"]), row["jpeg"])
    written = pa.Table.from_pylist(rows, table.schema.remove_metadata()).replace_schema_metadata(footer)
    pq.write_table(written, part, row_group_size=row_group, compression="NONE", write_page_checksum=True)
    return before
