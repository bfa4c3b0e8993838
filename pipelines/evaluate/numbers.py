"""The numbers of an evaluation, from clips, scores, classes and vocabularies alone: a run's or any model's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data_manifests.schema import LABELS, Label
from data_manifests.vocabulary import Vocabulary
from pipelines.engine.clips import read_clips
from pipelines.engine.progress import Progress
from pipelines.engine.shards import read_footer
from pipelines.engine.workspace import Workspace
from pipelines.evaluate import epic
from pipelines.evaluate.actions import Pair, action_metrics, rank_actions, seen_pairs
from pipelines.evaluate.calibration import Temperature
from pipelines.evaluate.labels import any_noun, label_metrics
from pipelines.evaluate.predictions import Predictions
from pipelines.prepare.vocabulary import vocabulary_of


@dataclass(frozen=True)
class Subject:
    """What is evaluated on what.

    Attributes:
        workspace: where the target is prepared.
        source: the dataset that was trained on; None when that is not said.
        dataset: the target.
        split: of the target.
        labels: those that are scored.
        zero_shot: whether the scores are those of zero-shot classification.
    """

    workspace: Workspace
    source: str | None
    dataset: str
    split: str
    labels: Sequence[Label]
    zero_shot: bool = False

    @property
    def within(self) -> bool:
        """Whether it was trained on the target itself; False when it is not said on what."""
        return self.source == self.dataset

    @property
    def cross(self) -> bool:
        """Whether it was trained on another dataset than the target; False when it is not said on what."""
        return self.source is not None and not self.within


def vocabularies_of(subject: Subject, progress: Progress) -> dict[Label, Vocabulary]:
    """The target's classes seen from the source, by the exact rule; within the dataset, from itself.

    Empty where the source is not said, or is not prepared in this workspace.

    Raises:
        InputError: another version of xmic wrote a class list.
    """
    workspace, source = subject.workspace, subject.source
    if source is None:
        return {}
    if not workspace.splits(source):
        progress.note(f"{source} is not prepared in {workspace.root}: shared and novel classes are not known")
        return {}
    return {label: vocabulary_of(workspace, source, subject.dataset, label) for label in subject.labels}


def numbers_of(
    subject: Subject,
    predictions: Predictions,
    vocabularies: Mapping[Label, Vocabulary],
    temperatures: Mapping[Label, Temperature],
) -> dict[str, Any]:
    """'labels', 'actions' (None unless both labels are scored) and 'epic' (None unless it is EPIC-KITCHENS-100).

    Args:
        subject: what is evaluated on what.
        predictions: those of the clips to evaluate.
        vocabularies: from :func:`vocabularies_of`.
        temperatures: of each label.
    """
    labels: dict[str, Any] = {}
    for label in subject.labels:
        scored = predictions.of(label)
        labels[label] = label_metrics(
            scored,
            vocabularies.get(label),
            temperatures[label],
            cross=subject.cross,
            zero_shot=subject.zero_shot,
        )
        if label == "noun" and len(scored.rows):
            labels[label]["any_noun"] = any_noun(scored, predictions.clips.nouns)
    ranked = None
    if len(predictions.scores) == 2:
        ranked = rank_actions(predictions, {label: of.value for label, of in temperatures.items()})
    actions = None
    if ranked is not None:
        actions = action_metrics(ranked, _seen_pairs(subject, vocabularies))
    own = is_epic(subject.workspace, subject.dataset)
    return {"labels": labels, "actions": actions, "epic": epic.epic_metrics(predictions, ranked) if own else None}


def is_epic(workspace: Workspace, dataset: str) -> bool:
    """Whether a target is EPIC-KITCHENS-100 itself, not another dataset written in its format."""
    known = workspace.datasets.get(dataset)
    return known is not None and known.reader == "epic" and class_counts(workspace, dataset) == epic.CLASSES


def class_counts(workspace: Workspace, dataset: str) -> dict[Label, int]:
    """How many classes a dataset has."""
    return {label: read_footer(workspace.classes_file(dataset, label)).rows for label in LABELS}


def _seen_pairs(subject: Subject, vocabularies: Mapping[Label, Vocabulary]) -> set[Pair] | None:
    if subject.source is None:
        return None
    if len(vocabularies) < 2 or "train" not in subject.workspace.splits(subject.source):
        return None
    rows = read_clips(subject.workspace, subject.source, "train").read(["verb_class", "noun_class"])
    pairs = zip(*(rows.column(name).to_pylist() for name in ("verb_class", "noun_class")), strict=True)
    trained = {(verb, noun) for verb, noun in pairs if verb is not None and noun is not None}
    return seen_pairs(trained, vocabularies["verb"], vocabularies["noun"])
