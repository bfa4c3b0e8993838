"""Choose a bounded number of clips, the same ones each time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence


def by_hash(clip_ids: Iterable[str]) -> list[str]:
    """Sort ids by their sha256: a fixed order that favours none."""
    return sorted(clip_ids, key=lambda clip_id: hashlib.sha256(clip_id.encode()).digest())


def in_turn(groups: Sequence[Sequence[str]], count: int) -> list[str]:
    """Take ids from several groups in turn.

    Each id is taken once, and at most ``count`` are.
    """
    chosen: dict[str, None] = {}
    left = [iter(group) for group in groups]
    while left and len(chosen) < count:
        still = []
        for group in left:
            new = next((clip_id for clip_id in group if clip_id not in chosen), None)
            if new is not None and len(chosen) < count:
                chosen[new] = None
                still.append(group)
        left = still
    return list(chosen)


def fair_shares(sizes: Sequence[int], count: int) -> list[int]:
    """Divide places over parts of some sizes.

    What one part cannot fill goes to the others.
    """
    shares = [0] * len(sizes)
    for _ in range(min(count, sum(sizes))):
        open_parts = [part for part, size in enumerate(sizes) if shares[part] < size]
        shares[min(open_parts, key=lambda part: shares[part])] += 1
    return shares
