"""A shard with every kind of part, for the tests that write and read shards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.engine.shard_writer import ShardWriter
from pipelines.engine.shards import FAILURES_LAYOUT, Layout

SCHEMA = pa.schema([("name", pa.string()), ("n", pa.int64()), ("vector", pa.list_(pa.float16(), 2))])
ROWS = [
    {"name": None if n % 5 == 3 else f"row {n}", "n": n * n, "vector": None if n % 7 == 2 else [n / 2, -1]}
    for n in range(40)
]


def writer(path: Path, *, row_group: int = 16, stage: str = "numbers", **layout: Any) -> ShardWriter:
    return ShardWriter(
        path,
        Layout(SCHEMA, row_group=row_group, **layout),
        {"notes": Layout(SCHEMA, row_group=4), "failures": FAILURES_LAYOUT},
        stage=stage,
        version=2,
        params={"factor": 3},
        inputs={"frames": "abc"},
        attempted=45,
        provenance={"encoder": "x"},
        environment={"torch": "2"},
    )


def write(path: Path, batches: Sequence[Sequence[dict[str, Any]]] = (ROWS,), **options: Any) -> Path:
    with writer(path, **options) as shard:
        for batch in batches:
            shard.write(batch)
        shard.write_side("notes", ROWS[:3])
        shard.fail("past_end", "too late", video_id="v", clip_id="c", pts=7)
        shard.fail("decode_error", "bad packet", video_id="w", rows=4)
    return path
