"""Keep the vectors of a split on the device, where they fit.

A step then sends the numbers of the rows it needs, not the rows.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from pipelines.engine.progress import Progress
from pipelines.train.features import StreamVectors

SHARE = 0.5
"""Share of the free memory that vectors may take. The rest is for weights, activations and other programs."""

_PIECE = 2**26
"""Bytes that are copied at a time."""


def free_bytes(device: torch.device) -> int | None:
    """Measure the free memory of a device, in bytes.

    Returns:
        What the driver has and what PyTorch holds without using it. None for a device whose memory is not measured, as
        a CPU, which reads vectors from their memory map.
    """
    if device.type != "cuda":
        return None
    torch.cuda.init()
    idle = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + idle


def keep_on_device(
    streams: Mapping[str, StreamVectors], device: torch.device, progress: Progress, free: int | None
) -> dict[str, Tensor]:
    """Copy as many streams of vectors to the device as fit.

    Two roles of the same vectors share one copy.

    Args:
        streams: role → vectors, the most important first.
        device: where the training runs.
        progress: receives a note of what is kept and what is not.
        free: bytes that are free on the device, see :func:`free_bytes`; None keeps nothing.

    Returns:
        Role → float16 [R, D] on the device, for the streams that are kept.
    """
    if free is None:
        return {}
    room = int(SHARE * free)
    copies: dict[str, Tensor | None] = {}
    for stream in streams.values():
        if stream.fingerprint in copies:
            continue
        size = stream.matrix.nbytes
        copies[stream.fingerprint] = _copied(stream.matrix, device) if size <= room else None
        room -= size if size <= room else 0
    for role, stream in streams.items():
        where = "kept on" if copies[stream.fingerprint] is not None else "too large for"
        progress.note(
            f"{role}: {stream.matrix.nbytes / 1e9:.2f} GB of vectors are {where} the device, of which {free / 1e9:.1f} "
            f"GB are free; half of that may be taken"
        )
    return {role: copy for role, s in streams.items() if (copy := copies[s.fingerprint]) is not None}


def _copied(matrix: np.ndarray, device: torch.device) -> Tensor:
    """Copy piece by piece: a memory map of gigabytes is not read into memory at once."""
    rows = max(1, _PIECE // max(1, matrix.shape[1] * matrix.itemsize))
    copy = torch.empty(matrix.shape, dtype=torch.float16, device=device)
    for first in range(0, len(matrix), rows):
        copy[first : first + rows] = torch.from_numpy(np.array(matrix[first : first + rows])).to(device)
    return copy
