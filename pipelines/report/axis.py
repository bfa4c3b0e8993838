"""Choose where an axis of percents ends."""

from __future__ import annotations


def axis_end(largest: float) -> float:
    """Choose the end of the axis in percent.

    Small accuracies would be invisible beside 100.
    """
    return next(limit for limit in (5, 10, 20, 30, 40, 50, 60, 80, 100) if largest <= limit)
