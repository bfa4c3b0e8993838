"""Read the scores of the clips to evaluate from ``predictions.parquet``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from data_manifests.schema import Label
from pipelines.engine.clips import Clips
from pipelines.engine.shards import read_rows
from pipelines.evaluate.cluster_counts import Recordings
from pipelines.evaluate.metrics import ranks
from pipelines.evaluate.predictions_file import score_matrix


@dataclass(frozen=True)
class Scored:
    """Scores and classes of the K scored clips that carry a label.

    Attributes:
        scores: [K, C], logits of all the target's classes.
        truth: int64 [K].
        recordings: of the K clips.
        rows: int64 [K], rows among all clips to evaluate.
        official: int64 [O], the classes of all clips that carry the label, scored or not.
    """

    scores: np.ndarray
    truth: np.ndarray
    recordings: Recordings
    rows: np.ndarray
    official: np.ndarray

    @property
    def classes(self) -> int:
        """Number of the target's classes, C."""
        return int(self.scores.shape[1])

    @cached_property
    def ranks(self) -> np.ndarray:
        """Number of classes ranked before each clip's own, [K].

        See :func:`pipelines.evaluate.metrics.ranks`.
        """
        return ranks(self.scores, self.truth)

    @cached_property
    def predicted(self) -> np.ndarray:
        """Class with the highest score, int64 [K].

        Of equal scores the class with the lowest index is taken.
        """
        return self.scores.argmax(1)


@dataclass(frozen=True)
class Predictions:
    """Scores in ``predictions.parquet`` of the clips to evaluate.

    Attributes:
        clips: M clips.
        rows: int64 [R], which of them are scored.
        scores: label → float32 [R, C].
    """

    clips: Clips
    rows: np.ndarray
    scores: Mapping[Label, np.ndarray]

    @cached_property
    def recordings(self) -> Recordings:
        """The recordings of the M clips."""
        return Recordings.from_ids(self.clips.recordings)

    def of(self, label: Label) -> Scored:
        """Select the scored clips that carry a label."""
        official = self.clips.labels[label]
        kept = official[self.rows] >= 0
        rows = self.rows[kept]
        return Scored(
            self.scores[label][kept], official[rows], self.recordings.only(rows), rows, official[official >= 0]
        )


def read_predictions(file: Path, clips: Clips, counts: Mapping[Label, int]) -> Predictions:
    """Read the scores of the clips to evaluate.

    Scores of other clips in the file are left out.

    Args:
        file: ``predictions.parquet`` of an evaluation.
        clips: the clips to evaluate, of the split that the file is of.
        counts: label of a head → classes of the target.

    Raises:
        DamagedShard: any part of the file is damaged.
    """
    table = read_rows(file)  # all columns: a card that is written from it states the digest of the whole file
    row_of = {clip_id: row for row, clip_id in enumerate(clips.clip_ids)}
    rows = np.array([row_of.get(clip_id, -1) for clip_id in table.column("clip_id").to_pylist()], np.int64)
    kept = rows >= 0
    scores = {label: score_matrix(table, label)[kept] for label in counts}
    return Predictions(clips, rows[kept], scores)
