"""The picture of the README shows the boxes, the crop and the words, and is small."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.readme_picture import FRAMES, Answer, Shot, draw
from pipelines.hands.crops import CropPolicy
from pipelines.hands.detector import Box

_GREEN, _YELLOW, _BLUE = (60, 150, 90), (250, 200, 40), (70, 190, 255)


def _has(picture: np.ndarray, colour: tuple[int, int, int], near: int = 12) -> bool:
    return bool((np.abs(picture.astype(int) - colour).max(axis=2) <= near).any())


def _page(truth: str) -> np.ndarray:
    grey = np.full((192, 256, 3), 128, np.uint8)
    shots = [Shot(grey, [Box(0.4, 0.4, 0.6, 0.6, 0.9)], (0.4, 0.4, 0.6, 0.6))] * FRAMES
    words = [("cup", 50.0), ("pan", 30.0), ("lid", 20.0)]
    return draw(shots, CropPolicy(margin=0.2), [Answer("before", words), Answer("after", words)], truth)


def test_hand_boxes_and_crops_are_drawn_on_the_frames() -> None:
    page = _page("cup")
    assert page.shape[1] > 1200
    frames = page[: page.shape[0] // 2]
    assert _has(frames, _YELLOW)
    assert _has(frames, _BLUE)


def test_the_right_word_alone_is_green() -> None:
    assert _has(_page("cup"), _GREEN, 0)
    assert not _has(_page("none of them"), _GREEN, 0)


def test_the_committed_picture_is_small_and_in_the_readme() -> None:
    root = Path(__file__).resolve().parents[2]
    assert (root / "docs" / "first.jpg").stat().st_size < 200_000
    assert "(docs/first.jpg)" in (root / "README.md").read_text("utf-8")
