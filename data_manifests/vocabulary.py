"""Shared and novel classes: which classes of a target dataset a source dataset has too, by their names."""

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
"""When two classes are one: their official names are equal, or they have a synonym in common. Case does not matter,
and a class without a name is like no other."""

Part = Literal["shared", "supported", "unsupported", "novel"]
PARTS: tuple[Part, ...] = ("shared", "supported", "unsupported", "novel")
"""The parts of a target's classes; supported and unsupported ones together are the shared ones."""


@dataclass(frozen=True)
class TargetClass:
    """A class of the target.

    Attributes:
        sources: ids of the source classes it matches; none makes it novel.
        train_clips: clips of those among the source's training clips; None when these are not known.
    """

    class_id: int
    name: str
    sources: tuple[int, ...]
    train_clips: int | None

    @property
    def part(self) -> Part:
        """'novel', 'supported' (the source trains on a clip of it), 'unsupported', or 'shared' when that is unknown."""
        if not self.sources:
            return "novel"
        if self.train_clips is None:
            return "shared"
        return "supported" if self.train_clips else "unsupported"


@dataclass(frozen=True)
class Vocabulary:
    """The classes of a target, in the order of their ids, seen from a source."""

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
        """The target's class ids in a part; None for supported and unsupported when that is not known."""
        if part in ("supported", "unsupported") and not self.support_known:
            return None
        if part == "shared":
            return [item.class_id for item in self.classes if item.sources]
        return [item.class_id for item in self.classes if item.part == part]

    @property
    def sha256(self) -> str:
        """What identifies this split: sha256 (hex) over label, rule, the names of both sides and who is in which part.

        Whether the source's training clips are known changes it, how many they are does not.
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
        label: what the classes are of.
        rule: one of :data:`RULES`.
        train_clips: source class id → its training clips (absent = none); None when they are not known.

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
    """The texts by which a class is compared; none of a class without a name."""
    texts = [row["name"]] if rule == "exact" else row["synonyms"]
    return {text.casefold() for text in texts if text.strip()}
