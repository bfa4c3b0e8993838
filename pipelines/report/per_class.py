"""Compute each class's accuracy, clips and most frequent mistake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_manifests.errors import MissingUpstream
from data_manifests.schema import Label
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.metrics_file import Metrics
from pipelines.evaluate.predictions_file import labelled_scores
from pipelines.prepare.classes import read_classes
from pipelines.prepare.vocabulary import vocabulary_of
from pipelines.report.collect import PREDICTIONS


@dataclass(frozen=True)
class ClassRow:
    """Class that has clips, with its accuracy.

    Attributes:
        name: of the class.
        part: 'supported', 'unsupported', 'shared' or 'novel' across datasets; '' within the run's own.
        clips: evaluated clips of this class.
        right: how many of them are right.
        mistaken: the class that is most often predicted instead; '' where all are right.
    """

    name: str
    part: str
    clips: int
    right: int
    mistaken: str

    @property
    def accuracy(self) -> float:
        """Accuracy of the class in percent."""
        return 100 * self.right / self.clips


@dataclass(frozen=True)
class ClassTable:
    """The classes of one label of an evaluation."""

    metrics: Metrics
    label: Label
    rows: Sequence[ClassRow]


def scores_are_there(metrics: Metrics, folder: Path) -> bool:
    """Return whether an evaluation's predictions are there and match its numbers.

    Predictions are of all clips, so the numbers of an evaluation restricted to a list of clips do not match.
    """
    return metrics.clips_file is None and (folder / PREDICTIONS).is_file()


def class_tables(workspace: Workspace, evaluations: Sequence[tuple[Metrics, Path]]) -> list[ClassTable]:
    """Make a table per label of each evaluation for which :func:`scores_are_there`.

    Args:
        workspace: where the classes are prepared.
        evaluations: (metrics, folder of the evaluation).
    """
    found = []
    for metrics, folder in evaluations:
        if not scores_are_there(metrics, folder):
            continue
        for label in metrics.labels:
            try:
                names = read_classes(workspace, metrics.target.dataset, label).column("name").to_pylist()
            except MissingUpstream:
                continue
            parts = [""] * len(names) if metrics.within else _parts(workspace, metrics, label, len(names))
            scored = labelled_scores(folder / PREDICTIONS, label)
            rows = class_rows(scored.truth, scored.scores.argmax(axis=1), names, parts)
            found.append(ClassTable(metrics, label, rows))
    return found


def within_rows(tables: Sequence[ClassTable], most: int) -> tuple[list[ClassTable], int]:
    """Keep the first tables within so many rows; count the others."""
    kept: list[ClassTable] = []
    for table in tables:
        if kept and sum(len(other.rows) for other in kept) + len(table.rows) > most:
            break
        kept.append(table)
    return kept, len(tables) - len(kept)


def class_rows(truth: np.ndarray, said: np.ndarray, names: Sequence[str], parts: Sequence[str]) -> list[ClassRow]:
    """List the classes with clips, most clips first.

    Args:
        truth: [M], class indices.
        said: [M], predicted class indices.
        names: of all C classes.
        parts: of all C classes.
    """
    rows = []
    for number, clips in zip(*np.unique(truth, return_counts=True), strict=True):
        answers = said[truth == number]
        wrong = answers[answers != number]
        mistaken = names[int(np.bincount(wrong).argmax())] if len(wrong) else ""
        rows.append(ClassRow(names[number], parts[number], int(clips), int(clips) - len(wrong), mistaken))
    return sorted(rows, key=lambda row: (-row.clips, row.name))


def _parts(workspace: Workspace, metrics: Metrics, label: Label, count: int) -> list[str]:
    if not workspace.splits(metrics.trained_on.dataset):
        return [""] * count
    vocabulary = vocabulary_of(workspace, metrics.trained_on.dataset, metrics.target.dataset, label)
    return [item.part for item in vocabulary.classes]
