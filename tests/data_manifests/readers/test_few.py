from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from data_manifests.readers.few import few
from data_manifests.schema import CLIPS


def table(counts: Mapping[str, int], recordings: int) -> pa.Table:
    nouns = [noun for noun, count in counts.items() for _ in range(count)]
    rows = [{"noun": noun, "recording_id": f"r{number % recordings}"} for number, noun in enumerate(nouns)]
    return pa.Table.from_pylist(rows, schema=CLIPS)


def test_classes_and_recordings_that_are_few_are_named() -> None:
    clips, recordings = few(table({"cup": 19, "pot": 3, "pan": 20}, 4))
    assert clips.startswith("few clips: 2 of 3 nouns have under 20 training clips, the fewest pot (3)")
    assert recordings.startswith("few recordings: 4 to train on; with under 5 ")


def test_enough_is_not_spoken_of() -> None:
    assert few(table({"cup": 20, "pot": 30}, 5)) == []
