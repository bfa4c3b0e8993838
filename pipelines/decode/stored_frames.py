"""Prepare stored JPEG frames in threads, ahead of the network."""

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
    """Prepare rows in threads, in order, ahead of the caller.

    Args:
        rows: drawn one by one in the caller's thread; each is handed to a worker at once.
        prepare: called in several threads at once, so it must not change shared state. Its errors are raised when it is
            the row's turn.
        workers: number of threads; at least one is used.
        at_least: number of rows to be ahead, such as the next batch while one is in the network. Two rows per worker
            are ahead where that is more, and never more than the larger of both.

    Yields:
        The result of ``prepare`` for each row.
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
    """Split tables of stored frames into single frames.

    Args:
        rows: tables of :data:`pipelines.decode.tables.FRAMES`.

    Yields:
        (video_id, pts) of each frame, with its JPEG bytes.
    """
    for table in rows:
        keys = zip(table.column("video_id").to_pylist(), table.column("pts").to_pylist(), strict=True)
        for key, jpeg in zip(keys, table.column("jpeg"), strict=True):
            yield key, jpeg.as_py()


def picture_of(jpeg: bytes) -> np.ndarray | Failed:
    """Decode a stored JPEG; return a failure where it cannot be decoded.

    One bad frame must not end the shard.

    Returns:
        uint8 ``[H, W, 3]``, RGB, or the failure.
    """
    try:
        return from_jpeg(jpeg)
    except InputError as error:
        return Failed("decode_error", str(error))
