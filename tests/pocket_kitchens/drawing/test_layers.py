from __future__ import annotations

import numpy as np
import pytest

from pocket_kitchens.drawing.layers import coverage, joined, moved, paste, placement, prepared, shadow, window

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
    canvas = np.full((40, 40, 3), 100, np.uint8)
    paste(canvas, _RED, placement((10, 5), (20, 20), 1.0))
    assert canvas[20, 20].tolist() == [255, 0, 0]
    assert canvas[2, 2].tolist() == [100, 100, 100]
    clear = RED.copy()
    clear[..., 3] = 0
    before = canvas.copy()
    paste(canvas, prepared(clear), placement((10, 5), (10, 30), 1.0))
    assert np.array_equal(canvas, before)


def test_the_edge_of_a_picture_keeps_its_colour() -> None:
    canvas = np.zeros((40, 40, 3), np.uint8)
    edged = RED.copy()
    edged[:, :5] = (0, 255, 0, 0)  # transparent green must not bleed in
    paste(canvas, prepared(edged), placement((10, 5), (20.5, 20.5), 1.3, 20))
    assert canvas[..., 1].max() < 1


def test_pictures_partly_or_wholly_outside_are_cut_off() -> None:
    canvas = np.zeros((40, 40, 3), np.uint8)
    paste(canvas, _RED, placement((10, 5), (-5, 39), 1.0))
    assert canvas[39, 0, 0] > 200
    paste(canvas, _RED, placement((10, 5), (500, 500), 1.0))
    assert window((40, 40), _RED, placement((10, 5), (500, 500), 1.0)) is None


def test_the_coverage_of_a_part_of_the_canvas_is_that_part_of_the_coverage_of_all() -> None:
    by = placement((10, 5), (20, 20), 1.0, 30)
    whole = coverage(_RED, by, (0, 0, 40, 40))
    assert whole.sum() / 255 == pytest.approx(200, rel=0.05)
    view = window((40, 40), _RED, by)
    assert view is not None
    left, top, right, bottom = view
    assert np.array_equal(coverage(_RED, by, view), whole[top:bottom, left:right])
    assert whole[top:bottom, left:right].sum() == whole.sum()


def test_what_moves_in_an_exposure_is_smeared_and_what_rests_is_drawn_once() -> None:
    def drawn(*places: float) -> np.ndarray:
        canvas = np.zeros((40, 60, 3), np.uint8)
        paste(canvas, _RED, *(placement((10, 5), (x, 20), 1.0) for x in places))
        return canvas[20, :, 0].astype(int)

    assert np.array_equal(drawn(20, 20.4), drawn(20.2))
    smeared = drawn(20, 32)
    assert (np.diff(smeared[10:30]) >= 0).all()
    assert sum((smeared > 20) & (smeared < 235)) >= 20
    assert smeared.sum() == pytest.approx(drawn(20).sum(), rel=0.03)


def test_a_shadow_is_black_and_as_strong_as_asked() -> None:
    canvas = np.full((40, 40, 3), 100, np.uint8)
    paste(canvas, shadow(_RED, 0.33), placement((10, 5), (20, 20), 1.0))
    assert canvas[20, 20].tolist() == [67, 67, 67]
