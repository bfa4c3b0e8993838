from __future__ import annotations

import numpy as np
import pytest

from packaged_models.hands.drawing.lens import distorted, lit, occlusion, photographed, streak


def test_a_wide_lens_moves_labels_with_the_picture() -> None:
    labels = np.zeros((60, 80), np.uint8)
    labels[20:30, 60:70] = 3
    picture = np.repeat(labels[..., None] * 80.0, 3, axis=2).astype(np.float32)
    bent, moved = distorted(picture, labels, 0.35)
    assert 0 < (moved == 3).sum() != 100
    assert bent[moved == 3].mean() > 180
    assert np.array_equal(distorted(picture, labels, 0.0)[1], labels)


def test_a_streak_keeps_the_light() -> None:
    assert streak(np.random.default_rng(0), 9.0).sum() == pytest.approx(1)


def test_what_faces_the_lamps_is_lighter() -> None:
    normals = np.array([[0, -0.8, -0.6], [0, 0.8, 0.6]], np.float32)
    albedo, gloss = np.full((2, 3), 0.5, np.float32), np.zeros(2, np.float32)
    shaded = np.mean([lit(normals, albedo, gloss, np.random.default_rng(number)) for number in range(20)], axis=0)
    assert shaded[0].mean() > 1.3 * shaded[1].mean()


def test_what_lies_between_its_neighbours_gets_less_light() -> None:
    nearness = np.full((40, 40), 2.0, np.float32)
    nearness[18:22] = 1 / 0.53
    light = occlusion(nearness, 100.0)
    assert light[20, 20] < 0.8
    assert light[2, 20] == pytest.approx(1, abs=0.02)


def test_photographs_are_bytes_and_depend_on_their_seed_alone() -> None:
    picture = np.full((30, 40, 3), 120, np.float32)
    one, other = (photographed(picture.copy(), np.random.default_rng(5)) for _ in range(2))
    assert one.dtype == np.uint8
    assert np.array_equal(one, other)
