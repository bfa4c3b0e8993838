from __future__ import annotations

import zlib

import pytest

from pipelines.hands.detector import Box, DetectorIdentity
from pipelines.plugin_check.detector import promises
from pipelines.plugin_check.promise import try_all


class Good:
    def __init__(self, **options):
        self.options = options

    @classmethod
    def describe(cls, **options):
        return DetectorIdentity("own-00000000", {"detector": "own"}, {})

    def detect(self, images):
        return [[Box(0, 0, 1, 1, 0.9), Box(0, 0, 1, 1, zlib.crc32(i.tobytes()) % 90 / 100 + 0.01)] for i in images]


class TakesNoSize(Good):
    def __init__(self, weights):
        pass


class Unsorted(Good):
    def detect(self, images):
        return [[Box(0, 0, 1, 1, 0.2), Box(0, 0, 1, 1, 0.9)] for _ in images]


class TooLow(Good):
    def detect(self, images):
        return [[Box(0, 0, 1, 1, 0.001)] for _ in images]


class OneListShort(Good):
    def detect(self, images):
        return super().detect(images)[1:]


class Tuples(Good):
    def detect(self, images):
        return [[(0, 0, 1, 1, 0.9)] for _ in images]


class Pixels(Good):
    def detect(self, images):
        return [[Box(0, 0, 64, 48, 0.9)] for _ in images]


class LooksAround(Good):
    def detect(self, images):
        return [[Box(0, 0, 1, 1, 1 / (1 + len(images)))] for _ in images]


def verdicts(name):
    return try_all(promises(f"{__name__}:{name}"))


def test_a_good_one_keeps_all():
    assert all(item.kept for item in verdicts("Good"))


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("TakesNoSize", "It takes: weights."),
        ("Unsorted", "scores in the order [0.2, 0.9]"),
        ("TooLow", "a score of 0.001"),
        ("OneListShort", "4 lists for 5 pictures"),
        ("Tuples", "expected pipelines.hands.detector.Box"),
        ("Pixels", "Not a normalised box"),
        ("LooksAround", "pad every batch to one fixed shape"),
    ],
)
def test_each_broken_promise_is_found_and_explained(name, detail):
    broken = [item.detail for item in verdicts(name) if item.kept is False]
    assert detail in broken[0], broken
