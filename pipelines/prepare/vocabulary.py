"""Compare the shared and novel classes of two prepared datasets.

The clips of each class are counted too.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow.compute as pc

from data_manifests.errors import MissingUpstream
from data_manifests.schema import Label
from data_manifests.vocabulary import PARTS, TargetClass, Vocabulary, compare
from pipelines.engine.clips import read_clips
from pipelines.engine.workspace import Workspace
from pipelines.prepare.classes import read_classes


def vocabulary_of(workspace: Workspace, source: str, target: str, label: Label, rule: str = "exact") -> Vocabulary:
    """Match the target's classes with those of a source.

    The support is known when the source's train split is prepared.

    Raises:
        UsageError: the rule is unknown.
        MissingUpstream, InputError: see :func:`pipelines.prepare.classes.read_classes`.
    """
    ours, theirs = read_classes(workspace, source, label), read_classes(workspace, target, label)
    train = _clips_by_class(workspace, source, "train", label) if "train" in workspace.splits(source) else None
    return compare(ours, theirs, label, rule, train)


def identity_of(vocabulary: Vocabulary) -> dict[str, Any]:
    """Return the identity of a vocabulary, as results carry it.

    Returns:
        'rule', 'sha256', and 'classes': the number of classes in each part, None where it is not known.
    """
    counts = {part: _counts(vocabulary.ids(part), None)["classes"] for part in PARTS}
    return {"rule": vocabulary.rule, "sha256": vocabulary.sha256, "classes": counts}


def compare_datasets(
    workspace: Workspace,
    source: str,
    target: str,
    labels: tuple[Label, ...],
    rule: str = "exact",
    split: str | None = None,
) -> dict[str, Any]:
    """Compare a target's classes with a source's, and count its clips.

    Args:
        workspace: the workspace in which both are prepared.
        source: the dataset that is trained on.
        target: the dataset that is evaluated on.
        labels: the labels to compare: verb, noun or both.
        rule: one of :data:`data_manifests.vocabulary.RULES`.
        split: the target's split whose clips are counted; None = val, else test.

    Returns:
        'source', 'target', 'rule', 'split' (None when neither val nor test is prepared) and 'labels'. Of each label:
        'sha256'; 'source_classes' by part; 'parts' with the 'classes' of the target, those 'with_clips' and the
        'clips' of each; 'classes', one row per class. Unknown values are None.

    Raises:
        UsageError: the rule is unknown.
        MissingUpstream: a dataset, or the named split, is not prepared.
        InputError: see :func:`pipelines.prepare.classes.read_classes`.
    """
    for dataset in (source, target):
        workspace.choose(dataset)
    counted = workspace.evaluation_split(target, split)
    if split is not None and counted is None:
        raise MissingUpstream(f"{workspace.root}: {target} has no prepared {split} split. Run xmic prepare for it.")
    found: dict[str, Any] = {}
    for label in labels:
        vocabulary = vocabulary_of(workspace, source, target, label, rule)
        clips = _clips_by_class(workspace, target, counted, label) if counted else None
        found[label] = _as_dict(vocabulary, clips)
    return {"source": source, "target": target, "rule": rule, "split": counted, "labels": found}


def _as_dict(vocabulary: Vocabulary, clips: Counter[int] | None) -> dict[str, Any]:
    shared = len(vocabulary.shared_sources)
    return {
        "sha256": vocabulary.sha256,
        "source_classes": {"shared": shared, "novel": len(vocabulary.source_names) - shared},
        "parts": {part: _counts(vocabulary.ids(part), clips) for part in PARTS},
        "classes": [_row(item, vocabulary, clips) for item in vocabulary.classes],
    }


def _counts(ids: list[int] | None, clips: Counter[int] | None) -> dict[str, int | None]:
    if ids is None:
        return {"classes": None, "with_clips": None, "clips": None}
    if clips is None:
        return {"classes": len(ids), "with_clips": None, "clips": None}
    counts = [clips[number] for number in ids]
    return {"classes": len(ids), "with_clips": sum(count > 0 for count in counts), "clips": sum(counts)}


def _row(item: TargetClass, vocabulary: Vocabulary, clips: Counter[int] | None) -> dict[str, Any]:
    return {
        "class_id": item.class_id,
        "name": item.name,
        "part": item.part,
        "matches": [vocabulary.source_names[number] for number in item.sources],
        "train_clips": item.train_clips,
        "clips": None if clips is None else clips[item.class_id],
    }


def _clips_by_class(workspace: Workspace, dataset: str, split: str, label: Label) -> Counter[int]:
    classes = read_clips(workspace, dataset, split).read([f"{label}_class"]).column(0)
    counts = pc.value_counts(classes.drop_null())
    return Counter({entry["values"]: entry["counts"] for entry in counts.to_pylist()})
