"""The numbers of the packaged models and of a small chain are those that are kept in numbers.json.

The vectors are computed in float32 on the CPU. Processors and versions of PyTorch add in other orders, which moves a
vector by some 1e-6 of its length; other processors may scale a pixel one level brighter, which moves it by some 1e-4.
What changes a published number, such as another interpolation or another activation, moves it by more than 1e-2.
OpenCV 4 draws lines otherwise than OpenCV 5. That moves a vector by 6e-3, a loss by 5 % and an accuracy by two of 16
clips: the limits are wider there. The chain also encodes and decodes videos, so a clip whose best two classes are
nearly equal may change sides, and a loss moves by some 1e-3.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.golden.measure import NUMBERS, TEXTS, boxes, chain_numbers, digest_of, image_vectors, pictures, text_vectors

VECTOR = 1e-3
"""Most distance of a vector from the kept one, as a share of its length."""
CORNER, SCORE = 0.005, 0.02
"""Most distance of a box's edge, as a share of the picture's side, and of its score."""
CLIPS = 1.0
"""Most clips of an accuracy that may be right now and were not, or the other way round."""
LOSS = 0.02
"""Most distance of a loss, as a share of it."""
OTHERWISE = 0.01, 0.1, 3.0
"""Most distance of a vector and of a loss, and most clips, where another OpenCV draws the pictures otherwise."""


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    return json.loads(NUMBERS.read_text("utf-8"))


@pytest.fixture(scope="module")
def drawn() -> list[np.ndarray]:
    return pictures()


def _away(found: np.ndarray, expected: list[list[float]]) -> float:
    wanted = np.array(expected)
    assert found.shape == wanted.shape
    return float((np.linalg.norm(found - wanted, axis=1) / np.linalg.norm(wanted, axis=1)).max())


def _about(drawn: list[np.ndarray], kept: dict[str, Any]) -> str:
    same = _drawn_as_kept(drawn, kept)
    return "the pictures are drawn as they were" if same else "the pictures are drawn otherwise than they were"


def _drawn_as_kept(drawn: list[np.ndarray], kept: dict[str, Any]) -> bool:
    return digest_of(drawn) == kept["pictures"]


def test_image_vectors_of_the_packaged_encoder_do_not_drift(drawn: list[np.ndarray], kept: dict[str, Any]) -> None:
    most = VECTOR if _drawn_as_kept(drawn, kept) else OTHERWISE[0]
    assert _away(image_vectors(drawn), kept["image"]) < most, _about(drawn, kept)


def test_text_vectors_of_the_packaged_encoder_do_not_drift(kept: dict[str, Any]) -> None:
    assert len(kept["text"]) == len(TEXTS)
    assert _away(text_vectors(), kept["text"]) < VECTOR


def test_boxes_of_the_packaged_hand_model_do_not_drift(drawn: list[np.ndarray], kept: dict[str, Any]) -> None:
    found, about = boxes(drawn), _about(drawn, kept)
    assert [[box[5] for box in of_picture] for of_picture in found] == [
        [box[5] for box in of_picture] for of_picture in kept["boxes"]
    ], about
    assert sum(map(len, found)) >= len(drawn) - 1  # a hand in nearly all of them
    for one, other in zip(found, kept["boxes"], strict=True):
        for box, wanted in zip(one, other, strict=True):
            assert box[:4] == pytest.approx(wanted[:4], abs=CORNER), about
            assert box[4] == pytest.approx(wanted[4], abs=SCORE), about


def test_numbers_of_a_small_chain_do_not_drift(tmp_path: Path, drawn: list[np.ndarray], kept: dict[str, Any]) -> None:
    found, chain = chain_numbers(tmp_path), kept["chain"]
    most, clips = (LOSS, CLIPS) if _drawn_as_kept(drawn, kept) else OTHERWISE[1:]
    assert set(found["evaluated"]) == set(chain["evaluated"])
    assert len(found["evaluated"]) == 8  # two methods, two datasets, nouns and verbs
    for name, number in found["evaluated"].items():
        wanted = chain["evaluated"][name]
        assert number["clips"] == wanted["clips"], name
        assert number["top1"] == pytest.approx(wanted["top1"], abs=100 * (clips + 0.01) / number["clips"]), name
        assert number["loss"] == pytest.approx(wanted["loss"], rel=most), name
    assert set(found["trained"]) == {"noun", "verb"}
    for label, losses in found["trained"].items():
        assert losses == pytest.approx(chain["trained"][label], rel=most), label
        assert losses[-1] < 0.9 * losses[0]  # it learned something


@pytest.mark.parametrize(
    ("name", "change"),
    [("image", 3 * VECTOR), ("text", 3 * VECTOR)],
)
def test_a_vector_that_moves_is_noticed(kept: dict[str, Any], name: str, change: float) -> None:
    moved = np.array(kept[name])
    moved[1] += change * np.linalg.norm(moved[1]) / np.sqrt(moved.shape[1])
    assert _away(moved, kept[name]) > VECTOR
