"""Find what a person should check before training on a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from data_manifests.schema import LABELS
from pipelines.look.split_facts import SplitFacts

_FEW_CLIPS, _FEW_A_CLASS = 200, 20
_FEW_TO_SCORE, _FEW_RECORDINGS = 100, 30
_LOW_RATE, _OTHER_RATE = 50.0, 15.0
_SHORT_S, _LONG_S = 0.3, 60.0
_OFTEN = 0.02
_NAMED = 5


def checks(facts: Sequence[SplitFacts]) -> list[str]:
    """List what may spoil a training or its numbers."""
    found = [text for item in facts for text in (*_of_split(item), *_of_hands(item))]
    train = next((item for item in facts if item.split == "train"), None)
    for other in facts:
        if train is not None and other is not train:
            found += _between(train, other)
    return found


def _of_split(item: SplitFacts) -> Iterator[str]:
    clips, split = len(item.clips.clip_ids), item.split
    if item.missing_videos:
        yield f"{split}: {item.missing_videos} of {item.videos} videos are under no video root."
    for lost in item.lost:
        what = "rows of the annotation files were rejected" if lost.stage == "prepare" else "frames failed"
        yield f"{split}: {lost.count:,} {what} in {lost.stage} ({lost.reason})."
    if split == "train":
        if clips < _FEW_CLIPS:
            yield f"train: {clips} clips. Methods with many parameters will learn them by heart."
        for label in LABELS:
            counts = item.counts(label)
            few = sum(count < _FEW_A_CLASS for count in counts.values())
            if few:
                yield f"train: {few} of {len(counts)} {label} classes have under {_FEW_A_CLASS} clips."
    elif clips < _FEW_TO_SCORE or item.recordings < _FEW_RECORDINGS:
        yield f"{split}: {clips} clips of {item.recordings} recordings. Intervals of its numbers will be wide."
    for label in LABELS:
        without = int(np.sum(item.clips.labels[label] < 0))
        if without:
            yield f"{split}: {without:,} of {clips:,} clips have no {label}."
    known = item.seconds[~np.isnan(item.seconds)]
    for words, odd in ((f"under {_SHORT_S:g} s", known < _SHORT_S), (f"over {_LONG_S:g} s", known > _LONG_S)):
        if odd.sum() > _OFTEN * clips:
            yield f"{split}: {int(odd.sum()):,} of {clips:,} clips are {words}. Are the times in seconds?"


def _of_hands(item: SplitFacts) -> Iterator[str]:
    hands = item.hands
    if hands is None:
        return
    if hands.rate is not None and hands.rate < _LOW_RATE:
        yield (
            f"{item.split}: {hands.rate:.0f} % of the frames have a hand. The others give the full frame to the hand "
            "stream. Filter the clips below by “no hand”: does the detector miss hands that you see?"
        )
    if hands.others:
        yield f"{item.split}: boxes of {hands.detector} are shown; there are also boxes of {', '.join(hands.others)}."


def _between(train: SplitFacts, other: SplitFacts) -> Iterator[str]:
    shared = sorted(set(train.clips.recordings) & set(other.clips.recordings))
    if shared:
        named = ", ".join(shared[:_NAMED]) + (" …" if len(shared) > _NAMED else "")
        yield (
            f"{other.split}: {len(shared)} of {other.recordings} recordings are in train too ({named}). Their clips "
            "look alike, so its numbers will be too high."
        )
    for label in LABELS:
        learnt, asked = train.counts(label), other.counts(label)
        unseen = [number for number in asked if number not in learnt]
        if unseen:
            clips = sum(asked[number] for number in unseen)
            yield (
                f"{other.split}: train has no clip of {len(unseen)} of its {len(asked)} {label} classes ({clips:,} "
                "clips), so nothing trained on it has seen them."
            )
    if train.hands is None or other.hands is None:
        return
    if train.hands.detector != other.hands.detector:
        yield (
            f"train has boxes of {train.hands.detector}, {other.split} of {other.hands.detector}: their crops are not "
            "alike."
        )
    rates = train.hands.rate, other.hands.rate
    if None not in rates and abs(rates[0] - rates[1]) > _OTHER_RATE:  # type: ignore[operator]
        yield f"Hands are in {rates[0]:.0f} % of the frames of train, but in {rates[1]:.0f} % of {other.split}."
