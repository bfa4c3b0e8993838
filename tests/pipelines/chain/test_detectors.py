"""A chain whose boxes are by several detectors is refused before anything is made."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from data_manifests.errors import InputError
from pipelines.chain.config import check_config
from pipelines.chain.detectors import check_detectors

_FILE = """
[[dataset]]
name = "a"
reader = "table"
files = ["train=a.csv"]
{of_a}

[[dataset]]
name = "b"
reader = "table"
files = ["val=b.csv"]

[hands]
weights = "hands.pt"

[embed]
encoder = "pocket"

[[train]]
dataset = "a"
{training}

[evaluate]
cross = ["b"]
{evaluate}
"""


def _check(folder: Path, of_a: str = "", training: str = "", evaluate: str = "") -> None:
    text = _FILE.format(of_a=of_a, training=training, evaluate=evaluate)
    check_detectors(check_config(tomllib.loads(text), folder / "xmic.toml"))


def test_one_detector_for_both_is_accepted(tmp_path):
    _check(tmp_path)
    _check(tmp_path, 'hands = { weights = "hands.pt", batch_size = 4 }')


@pytest.mark.parametrize(
    "of_a",
    [
        'hands = { detector = "epic-100doh", boxes = "EPIC-KITCHENS" }',
        'hands = { weights = "other.pt" }',
        'hands = { weights = "hands.pt", image_size = 320 }',
    ],
)
def test_another_detector_is_refused_with_both_named(tmp_path, of_a):
    with pytest.raises(InputError, match=r"cross 'b': its hand boxes are by yolo with .*hands\.pt, those of 'a'"):
        _check(tmp_path, of_a)


def test_tables_of_boxes_are_one_detector_by_their_name(tmp_path):
    with pytest.raises(InputError, match="allow_mixed = true"):
        _check(tmp_path, 'hands = { detector = "boxes", boxes = "a/boxes.csv" }')


@pytest.mark.parametrize(
    "more",
    [
        {"evaluate": "allow_mixed = true"},
        {"training": 'method = "zero-shot"'},
        {"training": 'streams = "full"\nclassify = "full"'},
    ],
)
def test_it_is_accepted_where_it_is_allowed_or_no_hands_are_read(tmp_path, more):
    _check(tmp_path, 'hands = { weights = "other.pt" }', **more)


def test_hands_that_only_condition_count(tmp_path):
    with pytest.raises(InputError, match="cross 'b'"):
        _check(tmp_path, 'hands = { weights = "other.pt" }', 'classify = "full"')
