"""Split a target dataset's classes into shared and novel ones.

A class is shared when the source dataset has it too, by its name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from data_manifests.errors import UsageError
from data_manifests.schema import Label

Rule = Literal["exact", "semantic"]
RULES: tuple[Rule, Rule] = ("exact", "semantic")
"""Rules for when two classes are the same: their official names are equal ('exact'), or they have a synonym in common
('semantic'). Case does not matter, and a class without a name matches no other."""

Part = Literal["shared", "supported", "unsupported", "novel"]
PARTS: tuple[Part, ...] = ("shared", "supported", "unsupported", "novel")
"""The parts of a target's classes; supported and unsupported ones together are the shared ones."""


@dataclass(frozen=True)
class TargetClass:
    """Class of the target with the source classes it matches.

    Attributes:
        class_id: id of the class in the target.
        name: official name of the class.
        sources: ids of the source classes it matches; none makes it novel.
        train_clips: number of the source's training clips of those classes; None when these clips are not known.
    """

    class_id: int
    name: str
    sources: tuple[int, ...]
    train_clips: int | None

    @property
    def part(self) -> Part:
        """Part of the target's classes that the class belongs to.

        It is 'novel', 'supported' (the source trains on a clip of it) or 'unsupported'. It is 'shared' when the
        source's
        training clips are not known.
        """
        if not self.sources:
            return "novel"
        if self.train_clips is None:
            return "shared"
        return "supported" if self.train_clips else "unsupported"


@dataclass(frozen=True)
class Vocabulary:
    """Classes of a target, in id order, compared with a source."""

    label: Label
    rule: Rule
    source_names: tuple[str, ...]
    classes: tuple[TargetClass, ...]
    support_known: bool

    @property
    def shared_sources(self) -> set[int]:
        """Ids of the source classes that the target has too."""
        return {source for item in self.classes for source in item.sources}

    def ids(self, part: Part) -> list[int] | None:
        """List the target's class ids in a part.

        For 'supported' and 'unsupported' the result is None when the source's training clips are not known.
        """
        if part in ("supported", "unsupported") and not self.support_known:
            return None
        if part == "shared":
            return [item.class_id for item in self.classes if item.sources]
        return [item.class_id for item in self.classes if item.part == part]

    @property
    def sha256(self) -> str:
        """Identity of this split of classes: sha256 in hex.

        It covers the label, the rule, the class names of both datasets and the class ids of each part. It depends on
        whether the source's training clips are known, but not on their number.
        """
        names = {"source": self.source_names, "target": [item.name for item in self.classes]}
        identity = {"label": self.label, "rule": self.rule, "names": names, "parts": {p: self.ids(p) for p in PARTS}}
        text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


def compare(
    source: pa.Table, target: pa.Table, label: Label, rule: str = "exact", train_clips: Mapping[int, int] | None = None
) -> Vocabulary:
    """Split the target's classes into shared and novel ones.

    Args:
        source: class list of the dataset that is trained on, rows of :data:`data_manifests.schema.CLASSES`.
        target: class list of the dataset that is evaluated on.
        label: 'noun' or 'verb', the label of the classes.
        rule: one of :data:`RULES`.
        train_clips: source class id → number of its training clips (absent = none); None when they are not known.

    Raises:
        UsageError: an unknown rule.
    """
    if rule not in RULES:
        raise UsageError(f"--rule {rule}: expected exact or semantic")
    having: dict[str, list[int]] = {}
    for row in source.to_pylist():
        for text in _texts(row, rule):
            having.setdefault(text, []).append(row["class_id"])
    classes = []
    for row in target.to_pylist():
        found = tuple(sorted({number for text in _texts(row, rule) for number in having.get(text, [])}))
        clips = None if train_clips is None else sum(train_clips.get(number, 0) for number in found)
        classes.append(TargetClass(row["class_id"], row["name"], found, clips))
    names = tuple(source.column("name").to_pylist())
    return Vocabulary(label, rule, names, tuple(classes), train_clips is not None)


def _texts(row: Mapping[str, Any], rule: Rule) -> set[str]:
    """Return the lower-case texts by which a class is compared.

    A class without a name has none.
    """
    texts = [row["name"]] if rule == "exact" else row["synonyms"]
    return {text.casefold() for text in texts if text.strip()}
