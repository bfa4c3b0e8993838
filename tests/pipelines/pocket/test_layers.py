from __future__ import annotations

import numpy as np
import pytest

from pipelines.pocket.layers import coverage, joined, moved, paste, placement, prepared

RED = np.zeros((10, 20, 4), np.uint8)
RED[..., 0] = RED[..., 3] = 255
_RED = prepared(RED)


def test_the_anchor_comes_to_the_place_whatever_the_turn_and_scale() -> None:
    for turn in (0, 37, -120):
        by = placement((3, 4), (50, 60), 2.5, turn, 0.6)
        assert moved(np.array([[3.0, 4.0]]), by)[0] == pytest.approx([50, 60])


def test_a_turn_is_counter_clockwise_as_seen() -> None:
    by = placement((0, 0), (0, 0), 1.0, 90)
    assert moved(np.array([[1.0, 0.0]]), by)[0] == pytest.approx([0, -1], abs=1e-9)


def test_joined_maps_do_one_after_the_other() -> None:
    first, second = placement((1, 2), (5, 5), 2, 30), placement((0, 0), (7, 1), 0.5, -10)
    points = np.array([[3.0, 9.0], [0.0, 0.0]])
    assert moved(points, joined(second, first)) == pytest.approx(moved(moved(points, first), second))


def test_an_opaque_picture_replaces_and_a_transparent_one_changes_nothing() -> None:
    canvas = np.full((40, 40, 3), 100, np.float32)
    paste(canvas, _RED, placement((10, 5), (20, 20), 1.0))
    assert canvas[20, 20].tolist() == [255, 0, 0]
    assert canvas[2, 2].tolist() == [100, 100, 100]
    clear = RED.copy()
    clear[..., 3] = 0
    before = canvas.copy()
    paste(canvas, prepared(clear), placement((10, 5), (10, 30), 1.0))
    assert np.array_equal(canvas, before)


def test_the_edge_of_a_picture_keeps_its_colour() -> None:
    canvas = np.zeros((40, 40, 3), np.float32)
    edged = RED.copy()
    edged[:, :5] = (0, 255, 0, 0)  # transparent green must not bleed in
    paste(canvas, prepared(edged), placement((10, 5), (20.5, 20.5), 1.3, 20))
    assert canvas[..., 1].max() < 1


def test_pictures_partly_or_wholly_outside_are_cut_off() -> None:
    canvas = np.zeros((40, 40, 3), np.float32)
    paste(canvas, _RED, placement((10, 5), (-5, 39), 1.0))
    assert canvas[39, 0, 0] > 200
    paste(canvas, _RED, placement((10, 5), (500, 500), 1.0))
    assert coverage((40, 40), _RED, placement((10, 5), (500, 500), 1.0)).sum() == 0
    assert coverage((40, 40), _RED, placement((10, 5), (20, 20), 1.0)).sum() == pytest.approx(200, rel=0.15)
