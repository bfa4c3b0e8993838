"""Options of all stages: shards to make and failures to allow."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from data_manifests.errors import UsageError


@dataclass(frozen=True)
class RunPolicy:
    """Choice of shards and limit on failures for one call.

    Attributes:
        limit: make at most this many shards.
        shard: (i, N): take the i-th of N shares of the shards; for job arrays. See :meth:`takes`.
        retry_failed: redo shards with any failure row, not only with failures that may not come again.
        max_failures: limit on failed rows, as a number (int) or as a share of the attempted rows (float).
        break_lock: take over locks of other hosts.
        wait_lock_s: seconds to wait for a shard that another host has locked, before that is an error.
        allow_partial: make what can be made while inputs of other shards are missing.
    """

    limit: int | None = None
    shard: tuple[int, int] = (0, 1)
    retry_failed: bool = False
    max_failures: int | float = 0.05
    break_lock: bool = False
    wait_lock_s: float = 0.0
    allow_partial: bool = False

    def takes(self, name: str) -> bool:
        """Tell whether this call's share has the shard of a name."""
        index, count = self.shard
        return share_of(name, count) == index


def share_of(name: str, count: int) -> int:
    """Return which of ``count`` shares has a shard, from 0.

    It follows from the planned name of the shard's file alone. So it is the same whatever exists by now, and the same
    in each stage: what a task decodes, the task of the same number embeds.
    """
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % count


def parse_max_failures(text: str) -> int | float:
    """Parse ``--max-failures``: a number of rows, or a percentage such as ``5%``.

    Returns:
        The number of rows as int, or the share from 0 to 1 as float.

    Raises:
        UsageError: the text is neither.
    """
    try:
        value: int | float = float(text[:-1]) / 100 if text.endswith("%") else int(text)
    except ValueError:
        value = -1
    if not value >= 0 or (isinstance(value, float) and value > 1):
        raise UsageError(f"--max-failures {text}: expected a number of rows (20) or a percentage (5%)")
    return value


def parse_shard(text: str) -> tuple[int, int]:
    """Parse ``--shard i/N`` with 0 ≤ i < N.

    Raises:
        UsageError: the text is not of that form.
    """
    index, _, count = text.partition("/")
    if index.isdecimal() and count.isdecimal() and 0 <= int(index) < int(count):
        return int(index), int(count)
    raise UsageError(f"--shard {text}: expected i/N with 0 <= i < N, for instance 0/8")
