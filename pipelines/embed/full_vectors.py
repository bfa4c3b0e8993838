"""Read full-stream vectors for frames without a hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipelines.engine.shards import iter_rows
from pipelines.hands.stage import FrameKey


class FullVectors:
    """Vectors of a full-stream shard, in step with its frames.

    Args:
        path: the shard.

    Raises:
        DamagedShard: the shard is damaged on disk; :meth:`of` raises this too.
    """

    def __init__(self, path: Path) -> None:
        self._rows = _in_order(path)
        self._next = next(self._rows, None)

    def of(self, key: FrameKey) -> np.ndarray | None:
        """Return the vector of the next frame, float16 [D].

        Every frame must be asked for in order. None where the frame has no row.
        """
        if self._next is None or self._next[0] != key:
            return None
        vector = self._next[1]
        self._next = next(self._rows, None)
        return vector


def _in_order(path: Path) -> Iterator[tuple[FrameKey, np.ndarray]]:
    for rows in iter_rows(path, ["video_id", "pts", "vector"]):
        vectors = rows.column("vector").combine_chunks().flatten().to_numpy().reshape(len(rows), -1)
        keys = zip(rows.column("video_id").to_pylist(), rows.column("pts").to_pylist(), strict=True)
        yield from zip(keys, vectors, strict=True)
