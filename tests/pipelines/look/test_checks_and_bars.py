from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines.hands.crops import CropPolicy
from pipelines.look.checks import checks
from pipelines.look.class_bars import class_bars, length_bins
from pipelines.look.split_facts import Hands, Lost, SplitFacts


class Clips:
    """What the facts need of clips."""

    def __init__(self, nouns: list[int], recordings: list[str]) -> None:
        self.clip_ids = [f"c{number}" for number in range(len(nouns))]
        self.labels = {"noun": np.array(nouns), "verb": np.zeros(len(nouns), int)}
        self.recordings = recordings
        self.participants = [None] * len(nouns)


def facts(split: str, nouns: list[int], recordings: list[str] | None = None, **parts: Any) -> SplitFacts:
    recordings = recordings or [f"{split}{number}" for number in range(len(nouns))]
    seconds = parts.pop("seconds", np.ones(len(nouns)))
    clips: Any = Clips(nouns, recordings)
    return SplitFacts(split, clips, pa.table({}), seconds, len(nouns), parts.pop("missing", 0), **parts)


def hands(rate: float, detector: str = "yolo") -> Hands:
    return Hands(detector, (), CropPolicy(), 1000, int(10 * rate), ())


GOOD = [number % 10 for number in range(400)]


def test_nothing_is_said_of_a_good_dataset() -> None:
    assert checks([facts("train", GOOD, hands=hands(90)), facts("val", GOOD, hands=hands(85))]) == []


def test_each_fault_is_said() -> None:
    train = facts("train", GOOD, [f"r{number}" for number in range(400)], hands=hands(90))
    shared = facts("val", GOOD, [f"r{number}" for number in range(400)], hands=hands(90))
    novel = facts("val", [*GOOD, 11, 11])
    faults = {
        "are in train too": [train, shared],
        "train has no clip of 1 of its 11 noun classes (2 clips)": [train, novel],
        "40 % of the frames have a hand": [facts("train", GOOD, hands=hands(40))],
        "but in 60 % of val": [train, facts("val", GOOD, hands=hands(60))],
        "their crops are not alike": [train, facts("val", GOOD, hands=hands(90, "mediapipe"))],
        "3 of 400 videos are under no video root": [facts("train", GOOD, missing=3)],
        "7 rows of the annotation files were rejected in prepare (bad_time)": [
            facts("train", GOOD, lost=[Lost("prepare", "bad_time", "", 7, ())])
        ],
        "7 frames failed in decode (timeout)": [facts("train", GOOD, lost=[Lost("decode", "timeout", "", 7, ())])],
        "50 clips": [facts("train", GOOD[:50])],
        "Intervals of its numbers will be wide": [facts("val", GOOD, ["one"] * 400)],
        "have no noun": [facts("train", [-1, *GOOD])],
        "are over 60 s": [facts("train", GOOD, seconds=np.full(400, 90.0))],
        "are under 0.3 s": [facts("train", GOOD, seconds=np.full(400, 0.1))],
        "have under 20 clips": [facts("train", [*GOOD, 11])],
    }
    for words, given in faults.items():
        assert any(words in text for text in checks(given)), words


def test_classes_are_sorted_by_their_clips_and_those_of_one_split_are_named() -> None:
    names = ["cup", "pan", "jar", "never"]
    found = class_bars("noun", names, [facts("train", [0, 1, 1]), facts("val", [2, 1, 1, 1])])
    assert [bar.name for bar in found.bars] == ["pan", "cup", "jar"]
    assert found.bars[0].counts == {"train": 2, "val": 3}
    assert found.bars[0].lengths["val"] == 100
    assert found.bars[0].lengths["train"] == pytest.approx(100 * (2 / 3) / (3 / 4))
    assert found.total == 4
    assert list(found.only) == [("train", "val", ["cup"]), ("val", "train", ["jar"])]


def test_every_clip_with_a_known_length_is_in_one_bin() -> None:
    lengths = np.array([0.1, 0.6, 0.7, 5.5, 5.5, np.nan, 1000.0])
    bins = length_bins([facts("train", [0] * 7, seconds=lengths), facts("val", [0], seconds=np.array([2.2]))])
    assert sum(bin.counts["train"] for bin in bins) == 6
    assert {bin.words: bin.counts["train"] for bin in bins if bin.counts["train"]} == {
        "0–0.25 s": 1,
        "0.5–0.75 s": 2,
        "5–6 s": 2,
        "over 300 s": 1,
    }
    assert max(bin.heights["train"] for bin in bins) <= 100
    assert length_bins([facts("train", [0], seconds=np.array([np.nan]))]) == []
