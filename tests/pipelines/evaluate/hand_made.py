"""Scores and vocabularies of a few clips, small enough to work out by hand: for tests of what is made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from data_manifests.schema import Label
from data_manifests.vocabulary import TargetClass, Vocabulary
from pipelines.evaluate.cluster_counts import Recordings
from pipelines.evaluate.predictions import Predictions, Scored
from tests.pipelines.manifest_clips import clips


def scored(
    scores: Sequence[Sequence[float]] | np.ndarray,
    truth: Sequence[int],
    recordings: Sequence[str] | None = None,
    official: Sequence[int] | None = None,
) -> Scored:
    """Every clip a recording of its own, and no clip without scores, unless said otherwise."""
    ids = recordings or [f"r{row}" for row in range(len(truth))]
    return Scored(
        np.array(scores, np.float32),
        np.array(truth, np.int64),
        Recordings.from_ids(ids),
        np.arange(len(truth)),
        np.array(truth if official is None else official, np.int64),
    )


def vocabulary(
    sources: Sequence[Sequence[int]], train_clips: Sequence[int] | None, label: Label = "noun"
) -> Vocabulary:
    """Target classes c0, c1, …, the source ids that each matches, and the training clips of these."""
    counts = [None] * len(sources) if train_clips is None else train_clips
    classes = tuple(
        TargetClass(number, f"c{number}", tuple(found), count)
        for number, (found, count) in enumerate(zip(sources, counts, strict=True))
    )
    return Vocabulary(label, "exact", (), classes, train_clips is not None)


def predictions(
    scores: Mapping[Label, Sequence[Sequence[float]]],
    labels: Mapping[Label, Sequence[int]],
    rows: Sequence[int] | None = None,
    participants: Sequence[str | None] | None = None,
    nouns: Sequence[Sequence[int]] | None = None,
) -> Predictions:
    """Clips a0, a1, …, two a recording; all are scored unless ``rows`` says which."""
    count = len(next(iter(labels.values())))
    ids, recordings = [f"a{row}" for row in range(count)], [f"r{row // 2}" for row in range(count)]
    which = np.arange(count) if rows is None else np.array(rows, np.int64)
    of = clips(ids, labels, recordings=recordings, participants=participants, nouns=nouns)
    return Predictions(of, which, {label: np.array(values, np.float32) for label, values in scores.items()})
