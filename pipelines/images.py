"""Stored JPEG frames back to pictures, several at a time."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa

from data_manifests.errors import InputError
from pipelines.decode.encode_jpeg import from_jpeg


def decode_ahead(jpegs: pa.ChunkedArray, workers: int) -> Iterator[np.ndarray | InputError]:
    """Decode a column of JPEG bytes in threads, in order.

    Yields:
        uint8 [H, W, 3] RGB, or the error in its place: one bad frame must not end the shard.
    """
    with ThreadPoolExecutor(max(1, workers)) as pool:
        yield from pool.map(_picture_or_error, jpegs.to_pylist())


def _picture_or_error(data: bytes) -> np.ndarray | InputError:
    try:
        return from_jpeg(data)
    except InputError as error:
        return error
