"""Compute all numbers of an evaluation from clips, scores and classes.

The scores are those of a run or of any other model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from data_manifests.schema import LABELS, Label
from data_manifests.vocabulary import Vocabulary
from pipelines.engine.clips import read_clips
from pipelines.engine.progress import Progress
from pipelines.engine.shards import read_footer
from pipelines.engine.workspace import Workspace
from pipelines.evaluate import epic
from pipelines.evaluate.actions import Pair, action_metrics, rank_actions, seen_pairs
from pipelines.evaluate.calibration import Temperature, calibration_of
from pipelines.evaluate.cluster_counts import counted
from pipelines.evaluate.metrics import class_mean
from pipelines.evaluate.metrics_file import Actions, Counted, EpicNumbers, Numbers, SharedAndNovel
from pipelines.evaluate.predictions import Predictions, Scored
from pipelines.evaluate.references import references_of
from pipelines.evaluate.seen_novel import by_scores, novel_called_shared, parts_of, shared_novel_means
from pipelines.prepare.vocabulary import identity_of, vocabulary_of


@dataclass(frozen=True)
class Subject:
    """Model and target of one evaluation: training dataset, evaluated split and labels.

    Attributes:
        workspace: where the target is prepared.
        source: the dataset that was trained on; None where it was not given.
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
        """Return whether the model was trained on the target dataset itself.

        False where the source was not given.
        """
        return self.source == self.dataset

    @property
    def cross(self) -> bool:
        """Return whether the model was trained on another dataset than the target.

        False where the source was not given.
        """
        return self.source is not None and not self.within


@dataclass(frozen=True)
class ComputedMetrics:
    """All numbers of an evaluation.

    Attributes:
        labels: of each scored label.
        actions: None unless both labels are scored.
        epic: None unless the target is EPIC-KITCHENS-100.
    """

    labels: dict[Label, Numbers]
    actions: Actions | None
    epic: dict[str, dict[str, EpicNumbers]] | None


def vocabularies_of(subject: Subject, progress: Progress) -> dict[Label, Vocabulary]:
    """Match the target's classes with the source's by the exact rule.

    Within the dataset the classes match themselves. The result is empty where the source was not given or is not
    prepared in this workspace.

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


def shared_and_novel(subject: Subject, vocabularies: Mapping[Label, Vocabulary]) -> dict[Label, SharedAndNovel]:
    """Identify the shared and novel classes of a cross-dataset result.

    The result is empty within the dataset and where the source was not given.
    """
    if not subject.cross:
        return {}
    return {label: SharedAndNovel(**identity_of(of)) for label, of in vocabularies.items()}


def compute_metrics(
    subject: Subject,
    predictions: Predictions,
    vocabularies: Mapping[Label, Vocabulary],
    temperatures: Mapping[Label, Temperature],
) -> ComputedMetrics:
    """Compute the numbers of labels, of actions and, on EPIC-KITCHENS-100, its own.

    Args:
        subject: model and target.
        predictions: scores of the clips to evaluate.
        vocabularies: from :func:`vocabularies_of`.
        temperatures: of each label.
    """
    labels: dict[Label, Numbers] = {}
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
            any_right = any_noun(scored, predictions.clips.nouns)
            labels[label] = labels[label].model_copy(update={"any_noun": any_right})
    ranked = None
    if len(predictions.scores) == 2:
        ranked = rank_actions(predictions, {label: of.value for label, of in temperatures.items()})
    actions = None
    if ranked is not None:
        actions = action_metrics(ranked, _seen_pairs(subject, vocabularies))
    own = is_epic(subject.workspace, subject.dataset)
    return ComputedMetrics(labels, actions, epic.epic_metrics(predictions, ranked) if own else None)


def label_metrics(
    scored: Scored, vocabulary: Vocabulary | None, temperature: Temperature, *, cross: bool, zero_shot: bool
) -> Numbers:
    """Compute the numbers of one label over the evaluated clips.

    Without an evaluated clip all numbers are None or empty.

    Args:
        scored: the clips.
        vocabulary: the target's classes, matched with the source's; None where the source is not prepared.
        temperature: of the head.
        cross: whether the target is another dataset than the source.
        zero_shot: whether the scores are those of zero-shot classification.
    """
    right = scored.ranks == 0 if len(scored.rows) else np.zeros(0, bool)
    whole = counted(right, scored.recordings, len(scored.official))
    there = bool(whole.n_evaluated)
    split = vocabulary if cross and there else None
    parts = parts_of(scored, split, by_scores(scored)) if split else {}
    return Numbers(
        top1=whole.percent,
        top5=float(100 * np.mean(scored.ranks < 5)) if there else None,
        class_mean=class_mean(right, scored.truth) if there else None,
        n_evaluated=whole.n_evaluated,
        n_official=whole.n_official,
        classes=scored.classes,
        classes_present=len(np.unique(scored.official)),
        recordings=whole.recordings,
        calibration=calibration_of(scored, temperature) if there else None,
        parts=parts,
        shared_novel_hm=shared_novel_means(parts) if split else None,
        novel_called_shared=novel_called_shared(scored, split) if split else None,
        references=references_of(scored, vocabulary, cross=cross, zero_shot=zero_shot) if there else {},
    )


def any_noun(scored: Scored, nouns: list[list[int]]) -> Counted:
    """Count the clips whose prediction is any of their annotated nouns.

    Top-1 accepts the first annotated noun only.

    Args:
        scored: the clips with a noun.
        nouns: every annotated noun class of each clip to evaluate.
    """
    answers = zip(scored.predicted.tolist(), scored.truth.tolist(), scored.rows.tolist(), strict=True)
    right = np.array([best == first or best in nouns[row] for best, first, row in answers], bool)
    return counted(right, scored.recordings, len(scored.official))


def is_epic(workspace: Workspace, dataset: str) -> bool:
    """Return whether a target is EPIC-KITCHENS-100 itself.

    Another dataset in its format has other numbers of classes.
    """
    known = workspace.datasets.get(dataset)
    return known is not None and known.reader == "epic" and class_counts(workspace, dataset) == epic.CLASSES


def class_counts(workspace: Workspace, dataset: str) -> dict[Label, int]:
    """Count the classes of a dataset."""
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
