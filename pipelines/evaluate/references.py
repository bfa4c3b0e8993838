"""Compute reference rows: chance, majority classes and zero-shot with a prior.

The prior is the class frequencies of the source.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from data_manifests.vocabulary import Vocabulary
from pipelines.evaluate.cluster_counts import counted
from pipelines.evaluate.metrics_file import Reference
from pipelines.evaluate.predictions import Scored
from pipelines.evaluate.seen_novel import Judge, by_scores, parts_of, shared_novel_means

ORACLES = ("target_majority",)
"""References that know the target's labels: no method could be them."""


def references_of(
    scored: Scored, vocabulary: Vocabulary | None, *, cross: bool, zero_shot: bool
) -> dict[str, Reference | None]:
    """Compute the accuracy of each reference row.

    - 'chance' draws among the classes that compete.
    - 'source_majority' always answers the class with most training clips in the source, matched by name.
    - 'target_majority' always answers the most frequent class of the target (an oracle).
    - 'zero_shot_prior' adds log((n + 1) / (Σn + C)) to zero-shot logits, where n is the number of a class's training
      clips in the source, matched by name.

    Of equally frequent classes the first is taken. A reference is None where it cannot be known. Across datasets each
    reference has parts and their mean, as the method has.

    Args:
        scored: one clip or more.
        vocabulary: the target's classes, matched with the source's; None where the source is not prepared.
        cross: whether the target is another dataset than the source.
        zero_shot: whether the scores are those of zero-shot classification.
    """
    seen = _train_clips(vocabulary)
    judges: dict[str, Judge | None] = {
        "chance": _chance,
        "source_majority": None if seen is None else _always(scored, seen),
        "target_majority": _always(scored, np.bincount(scored.official, minlength=scored.classes)),
        "zero_shot_prior": None if seen is None or not zero_shot else by_scores(_with_prior(scored, seen)),
    }
    split = vocabulary if cross else None
    return {name: None if judge is None else _reached(name, scored, split, judge) for name, judge in judges.items()}


def _reached(name: str, scored: Scored, vocabulary: Vocabulary | None, judge: Judge) -> Reference | None:
    right = judge(np.arange(len(scored.truth)), np.arange(scored.classes))
    if right is None:
        return None
    whole = dict(counted(right, scored.recordings, len(scored.official)))
    if vocabulary is None:
        return Reference(oracle=name in ORACLES, **whole)
    parts = parts_of(scored, vocabulary, judge)
    return Reference(oracle=name in ORACLES, parts=parts, shared_novel_hm=shared_novel_means(parts), **whole)


def _chance(rows: np.ndarray, ids: np.ndarray) -> np.ndarray:
    return np.full(len(rows), 1 / max(1, len(ids)))


def _always(scored: Scored, clips: np.ndarray) -> Judge:
    """Return a judge that answers the class with most clips of those that compete; None where none has any."""

    def judge(rows: np.ndarray, ids: np.ndarray) -> np.ndarray | None:
        if not clips[ids].any():
            return None
        return scored.truth[rows] == ids[clips[ids].argmax()]

    return judge


def _with_prior(scored: Scored, clips: np.ndarray) -> Scored:
    prior = np.log((clips + 1) / (clips.sum() + len(clips)))
    return replace(scored, scores=scored.scores + prior.astype(np.float32))


def _train_clips(vocabulary: Vocabulary | None) -> np.ndarray | None:
    if vocabulary is None or not vocabulary.support_known:
        return None
    return np.array([item.train_clips for item in vocabulary.classes], np.int64)
