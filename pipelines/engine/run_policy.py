"""Which shards a call takes on, and how it bears failure: the options that every stage shares."""

from __future__ import annotations

from dataclasses import dataclass

from data_manifests.errors import UsageError


@dataclass(frozen=True)
class RunPolicy:
    """Which shards a call takes on, and how it bears failure.

    Attributes:
        limit: make at most this many shards.
        shard: (i, N): take every N-th shard, from the i-th; for job arrays.
        retry_failed: redo shards with any failure row, not only those that may pass.
        max_failures: a number of rows, or a share of the attempted ones.
        break_lock: take over locks of other hosts.
    """

    limit: int | None = None
    shard: tuple[int, int] = (0, 1)
    retry_failed: bool = False
    max_failures: int | float = 0.05
    break_lock: bool = False


def parse_max_failures(text: str) -> int | float:
    """Read ``--max-failures``: a whole number of rows, or a percentage such as ``5%``.

    Raises:
        UsageError: neither.
    """
    try:
        value: int | float = float(text[:-1]) / 100 if text.endswith("%") else int(text)
    except ValueError:
        value = -1
    if not value >= 0 or (isinstance(value, float) and value > 1):
        raise UsageError(f"--max-failures {text}: expected a number of rows (20) or a percentage (5%)")
    return value


def parse_shard(text: str) -> tuple[int, int]:
    """Read ``--shard i/N`` with 0 ≤ i < N.

    Raises:
        UsageError: not of that form.
    """
    index, _, count = text.partition("/")
    if index.isdecimal() and count.isdecimal() and 0 <= int(index) < int(count):
        return int(index), int(count)
    raise UsageError(f"--shard {text}: expected i/N with 0 <= i < N, for instance 0/8")
