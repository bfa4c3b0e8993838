"""Count which classes are taken for which, over the most frequent ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_manifests.errors import MissingUpstream
from data_manifests.schema import Label
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.metrics_file import Metrics
from pipelines.evaluate.predictions_file import LabelledScores, labelled_scores
from pipelines.prepare.classes import read_classes
from pipelines.report.collect import PREDICTIONS, apart_notes, method_name, method_title
from pipelines.report.per_class import scores_are_there

CLASSES = 20
"""Most classes of a matrix: those with most clips."""

LISTED = 8
"""Most clips that a page lists of one cell."""

MOST = 40
"""Most matrices of a page, which keeps it small."""

OTHER = "any other"


@dataclass(frozen=True)
class Confusion:
    """Matrix of one label of an evaluation.

    Attributes:
        title: method, source and target.
        label: noun or verb.
        names: of the K classes, most clips first.
        counts: int [K, K + 1], clips by true and answered class; the last column is any class that is not in ``names``.
        clips: (row, column) → the first clips of the cell with the name of the answer.
        left_out: clips of classes that are not in ``names``.
    """

    title: str
    label: Label
    names: Sequence[str]
    counts: np.ndarray
    clips: Mapping[tuple[int, int], Sequence[tuple[str, str]]]
    left_out: int


def confusions(workspace: Workspace, evaluations: Sequence[tuple[Metrics, Path]]) -> list[Confusion]:
    """Make a matrix per label of each evaluation with scores.

    Controls are left out.

    Args:
        workspace: where the classes are prepared.
        evaluations: (metrics, folder of the evaluation).
    """
    found: list[Confusion] = []
    there = [(metrics, folder) for metrics, folder in evaluations if not metrics.control]
    there = [(metrics, folder) for metrics, folder in there if scores_are_there(metrics, folder)]
    titles = _titles([metrics for metrics, _ in there])
    for metrics, folder in there:
        for label in metrics.labels:
            try:
                names = read_classes(workspace, metrics.target.dataset, label).column("name").to_pylist()
            except MissingUpstream:
                continue
            scored = labelled_scores(folder / PREDICTIONS, label)
            said = scored.scores.argmax(axis=1)
            if len(said):
                found.append(confusion(titles[metrics.name, str(metrics.target)], label, scored, said, names))
    return found


def _titles(evaluations: Sequence[Metrics]) -> dict[tuple[str, str], str]:
    """Name each evaluation in the shortest form that no other has.

    The forms are the method's name, the name with what tells the runs apart, and the name of the run.
    """
    forms = []
    for one in evaluations:
        place = f"{one.trained_on.dataset} → {one.target}"
        full = method_title(one.run, apart_notes(one))
        forms.append((f"{method_name(one.run)}, {place}", f"{full}, {place}", f"{one.name} → {one.target}"))
    times = [Counter(form) for form in zip(*forms, strict=True)]
    return {
        (one.name, str(one.target)): next(
            title for title, count in zip(titles, times, strict=True) if count[title] == 1
        )
        for one, titles in zip(evaluations, forms, strict=True)
    }


def confusion(title: str, label: Label, scored: LabelledScores, said: np.ndarray, names: Sequence[str]) -> Confusion:
    """Count the answers to the clips of the most frequent classes.

    Args:
        title: of the evaluation.
        label: noun or verb.
        scored: the M clips with their true classes.
        said: int [M], answered classes.
        names: of all C classes.
    """
    truth = scored.truth
    clips = np.bincount(truth, minlength=len(names))
    order = sorted(np.flatnonzero(clips).tolist(), key=lambda number: (-clips[number], names[number]))[:CLASSES]
    place = {number: index for index, number in enumerate(order)}
    counts = np.zeros((len(order), len(order) + 1), np.int64)
    cells: dict[tuple[int, int], list[tuple[str, str]]] = {}
    for clip_id, right, answer in sorted(zip(scored.clip_ids, truth.tolist(), said.tolist(), strict=True)):
        if right in place:
            cell = place[right], place.get(answer, len(order))
            counts[cell] += 1
            listed = cells.setdefault(cell, [])
            if len(listed) < LISTED:
                listed.append((clip_id, names[answer]))
    return Confusion(title, label, [names[number] for number in order], counts, cells, len(truth) - int(counts.sum()))


def confusion_values(found: Sequence[Confusion]) -> dict[str, Any]:
    """Return the matrices as plain values for the page's script.

    A clip that is in many matrices is named once: cells hold its number. 'evaluations' are in order; a cell is [row,
    column, count, [clip, answer, …]], with the answer's number in 'answers' or -1 where it is the column's. 'more'
    counts the matrices beyond :data:`MOST`.
    """
    ids: dict[str, int] = {}
    answers: dict[str, int] = {}
    evaluations = [
        {
            "title": one.title,
            "label": one.label,
            "names": [name or "(empty name)" for name in one.names],
            "left_out": one.left_out,
            "cells": list(_cells(one, ids, answers)),
        }
        for one in found[:MOST]
    ]
    more = max(0, len(found) - MOST)
    return {"more": more, "evaluations": evaluations, "clips": list(ids), "answers": list(answers), "other": OTHER}


def _cells(one: Confusion, ids: dict[str, int], answers: dict[str, int]) -> Iterator[list[Any]]:
    for (row, column), clips in sorted(one.clips.items()):
        listed: list[int] = []
        for clip_id, answer in clips:
            number = -1 if column < len(one.names) else answers.setdefault(answer, len(answers))
            listed += [ids.setdefault(clip_id, len(ids)), number]
        yield [row, column, int(one.counts[row, column]), listed]
