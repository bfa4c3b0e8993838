"""Warn of a training split that is too small to learn from."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa

from data_manifests.schema import LABELS

FEW_CLIPS, FEW_RECORDINGS = 20, 5
"""Clips per class and recordings below which a user is warned."""


def few(clips: pa.Table) -> list[str]:
    """Say which classes and recordings of a training split are few.

    Args:
        clips: rows of :data:`data_manifests.schema.CLIPS`.
    """
    sentences = []
    for label in LABELS:
        counts = Counter(name for name in clips.column(label).to_pylist() if name is not None)
        small = [name for name, count in counts.items() if count < FEW_CLIPS]
        if small:
            least = min(small, key=lambda name: (counts[name], name))
            sentences.append(
                f"few clips: {len(small)} of {len(counts)} {label}s have under {FEW_CLIPS} training clips, the fewest "
                f"{least} ({counts[least]}); expect unsure answers for them"
            )
    recordings = len(set(clips.column("recording_id").to_pylist()))
    if recordings < FEW_RECORDINGS:
        sentences.append(
            f"few recordings: {recordings} to train on; with under {FEW_RECORDINGS} a run learns their rooms and light"
        )
    return sentences
