"""Stored JPEG frames to what a network takes, several at a time and ahead of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import pyarrow as pa

from data_manifests.errors import InputError
from pipelines.decode.encode_jpeg import from_jpeg
from pipelines.engine.batches import Failed

_AHEAD = 2

Row = TypeVar("Row")
Prepared = TypeVar("Prepared")


def prefetch(
    rows: Iterable[Row], prepare: Callable[[Row], Prepared], workers: int, at_least: int = 0
) -> Iterator[Prepared]:
    """Prepare rows in threads, in order, ahead of whoever takes them.

    Args:
        rows: drawn one by one in the caller's thread, none earlier than it is handed to a worker.
        prepare: called in several threads at once, so it may change nothing that they share. Its errors are raised
            where the row's turn comes.
        workers: threads; at least one is used.
        at_least: how many rows to be ahead, such as the next batch while one is in the network. Without it, or
            where that is more, two a worker; never more than that.

    Yields:
        What ``prepare`` gave for each row.
    """
    workers = max(1, workers)
    most = max(_AHEAD * workers, at_least)
    waiting: deque[Future[Prepared]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for row in rows:
            waiting.append(pool.submit(prepare, row))
            if len(waiting) > most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def stored(rows: Iterable[pa.Table]) -> Iterator[tuple[tuple[str, int], bytes]]:
    """Each frame's (video_id, pts) with its JPEG, from tables of :data:`pipelines.decode.tables.FRAMES`."""
    for table in rows:
        keys = zip(table.column("video_id").to_pylist(), table.column("pts").to_pylist(), strict=True)
        for key, jpeg in zip(keys, table.column("jpeg"), strict=True):
            yield key, jpeg.as_py()


def picture_of(jpeg: bytes) -> np.ndarray | Failed:
    """The picture, uint8 [H, W, 3] RGB, or the error in its place: one bad frame must not end the shard."""
    try:
        return from_jpeg(jpeg)
    except InputError as error:
        return Failed("decode_error", str(error))
