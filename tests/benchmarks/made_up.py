"""Made-up facts of drawn worlds, for tests without a world."""

from __future__ import annotations

from typing import Any

from benchmarks.pocket.cells import SOURCES


def made_up_nuisances() -> dict[str, Any]:
    """Nuisances of both domains."""
    counts = {split: {label: {"cup": 1} for label in ("noun", "verb")} for split in ("train", "test")}
    shares = dict.fromkeys(("noun_predicts_verb", "no_hand", "unseen_pairs", "unseen_clips"), 20.0)
    return {name: {**shares, "classes": counts} for name in SOURCES}
