"""Stored JPEG frames back to pictures, several at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pyarrow as pa

from data_manifests.errors import InputError
from pipelines.decode.encode_jpeg import from_jpeg

_AHEAD = 2


def decode_ahead(jpegs: pa.ChunkedArray, workers: int) -> Iterator[np.ndarray | InputError]:
    """Decode a column of JPEG bytes in threads, in order, at most two pictures a worker ahead of whoever takes them.

    Yields:
        uint8 [H, W, 3] RGB, or the error in its place: one bad frame must not end the shard.
    """
    workers = max(1, workers)
    ahead: deque[Future[np.ndarray | InputError]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for jpeg in jpegs:
            ahead.append(pool.submit(_picture_or_error, jpeg.as_py()))
            if len(ahead) > _AHEAD * workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _picture_or_error(data: bytes) -> np.ndarray | InputError:
    try:
        return from_jpeg(data)
    except InputError as error:
        return error
