"""Find an encoder's batch size by its speed and memory."""

from __future__ import annotations

from collections.abc import Callable

from pipelines.engine.batches import BatchTooLarge

GAIN = 1.05
"""Least factor in speed for which the batch is doubled."""

MOST = 4096
"""Largest batch size that is tried."""


def found_batch_size(speed: Callable[[int], float], first: int) -> int:
    """Double a batch size while its speed grows and its memory suffices.

    Args:
        speed: measures the pictures per second of a batch size.
        first: size to begin with; it is halved first where it does not fit.

    Raises:
        BatchTooLarge: not even one picture fits.
    """
    size = first
    while (now := _speed_or_none(speed, size)) is None:
        size //= 2
    if size < first:
        return size
    while 2 * size <= MOST:
        doubled = _speed_or_none(speed, 2 * size)
        if doubled is None or doubled < GAIN * now:
            break
        size, now = 2 * size, doubled
    return size


def _speed_or_none(speed: Callable[[int], float], size: int) -> float | None:
    """Measure the speed of a size; None where it does not fit and a smaller one is left."""
    try:
        return speed(size)
    except BatchTooLarge:
        if size == 1:
            raise
        return None
