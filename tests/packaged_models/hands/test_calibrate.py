from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from packaged_models.hands import calibrate as calibrate_module
from packaged_models.hands import pictures as pictures_module
from packaged_models.hands.calibrate import MARGINS, THRESHOLDS, calibrate, margin_curve, threshold_curve
from packaged_models.hands.pictures import DrawnPictures
from pipelines.engine.progress import Silent
from pipelines.hands.detector import Box
from pipelines.hands.scoring import Truth
from tests.pipelines.hands.finetune.tiny import write_pictures

NOTHING = np.full((1, 4), np.nan)


def test_the_threshold_curve_is_precision_and_recall() -> None:
    truth = Truth(np.array([[0.1, 0.1, 0.3, 0.3]]), np.array([False]))
    curve = threshold_curve([[Box(0.1, 0.1, 0.3, 0.3, 0.72), Box(0.6, 0.6, 0.8, 0.8, 0.42)]], [truth])
    at = {row["threshold"]: (row["precision"], row["recall"]) for row in curve}
    assert tuple(at) == THRESHOLDS
    assert (at[0.4], at[0.5], at[0.8]) == ((0.5, 1.0), (1.0, 1.0), (0.0, 0.0))


def test_a_margin_brings_the_held_thing_back() -> None:
    hand, thing = np.array([[0.4, 0.4, 0.6, 0.6]]), np.array([[0.5, 0.4, 0.7, 0.6]])
    rows = margin_curve([[Box(0.4, 0.4, 0.6, 0.6, 0.9)]], [hand], [thing], 0.5)
    covered = {row["margin"]: row["held_covered"] for row in rows}
    assert tuple(covered) == MARGINS
    assert (covered[0.0], covered[0.25], covered[0.5]) == (pytest.approx(0.5), pytest.approx(0.75), pytest.approx(1.0))
    assert rows[0]["crop_area"] == pytest.approx(0.04)
    assert rows[0]["union_area"] == pytest.approx(0.06)


def test_a_frame_without_found_hands_is_taken_whole() -> None:
    hand, thing = np.array([[0.4, 0.4, 0.6, 0.6]]), np.array([[0.5, 0.4, 0.7, 0.6]])
    (row, *_) = margin_curve([[]], [hand], [thing], 0.5)
    assert (row["held_covered"], row["true_hands_covered"], row["crop_area"]) == (1.0, pytest.approx(0.5), 1.0)
    assert margin_curve([[]], [hand], [NOTHING], 0.5)[0]["held_covered"] is None


def test_a_model_is_measured_on_drawn_pictures_and_the_curves_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (calibrate_module, pictures_module):
        monkeypatch.setattr(module, "A_FILE", 6)
    monkeypatch.setattr(calibrate_module, "POCKET", 2)
    write_pictures(tmp_path, 0, 6)
    drawn = DrawnPictures(tmp_path, tmp_path / "hand.glb", 0, 1)

    class Knows:
        """Finds every hand with a score of 0.66."""

        def __init__(self) -> None:
            self._next = 0

        def detect(self, images: list[np.ndarray]) -> list[list[Box]]:
            numbers = range(self._next, self._next + len(images))
            self._next += len(images)
            return [[Box(*box, 0.66) for box in drawn.read(number)[1].tolist()] for number in numbers]

    found = calibrate(Knows(), drawn, tmp_path / "c.json", Silent())  # type: ignore[arg-type]
    assert found["ap50"] == {"scenes": 1.0, "pocket": 1.0, "all": 1.0}
    assert found["threshold"] <= 0.65
    assert found["margin"] in MARGINS
    assert json.loads((tmp_path / "c.json").read_text()) == found


class _OneHand:
    """A picture of one hand, 0.2 wide, and of what it holds."""

    seed = 0

    def __init__(self, *thing: float) -> None:
        self._thing = thing

    def __len__(self) -> int:
        return 1

    def read(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return np.zeros((20, 20, 3), np.uint8), np.array([[0.4, 0.4, 0.6, 0.6]], np.float32), np.zeros(1, np.int64)

    def held(self, number: int) -> np.ndarray:
        return np.array([self._thing], np.float32)

    def detect(self, images: list[np.ndarray]) -> list[list[Box]]:
        return [[Box(0.4, 0.4, 0.6, 0.6, 0.9)] for _ in images]


@pytest.mark.parametrize(
    ("thing", "margin"),
    [
        ((0.4, 0.4, 0.6, 0.6), 0.0),
        ((0.5, 0.4, 0.71, 0.6), 0.5),  # 0.1 + 0.2 · margin of 0.21: 86 % at 0.4, 95 % at 0.5
        ((0.9, 0.9, 1.0, 1.0), None),
        ((np.nan,) * 4, None),
    ],
)
def test_the_margin_is_the_least_that_keeps_enough_of_what_is_held(
    tmp_path: Path, thing: tuple[float, ...], margin: float | None
) -> None:
    one = _OneHand(*thing)
    assert calibrate(one, one, tmp_path / "c.json", Silent())["margin"] == margin  # type: ignore[arg-type]
