from __future__ import annotations

import numpy as np
import pytest

from packaged_models.hands.drawing.raster import Surface, View, rasterise, vertex_normals
from packaged_models.hands.drawing.solids import box, sheet

VIEW = View(100.0, 40, 30)
RED, BLUE = np.array([1.0, 0, 0], np.float32), np.array([0, 0, 1.0], np.float32)


def cube(depth: float, colour: np.ndarray, label: int, side: float = 0.1, **options: object) -> Surface:
    solid = box(side, side, side)
    return Surface(solid.vertices + [0, 0, depth], solid.triangles, colour, label=label, **options)  # type: ignore[arg-type]


def test_a_face_covers_the_pixels_that_it_projects_to() -> None:
    seen = rasterise([cube(1.05, RED, 1)], VIEW)
    mask = seen.label.reshape(30, 40) == 1
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    assert (columns[0], columns[-1], rows[0], rows[-1]) == (15, 24, 10, 19)
    assert mask.sum() == 100
    assert seen.nearness.reshape(30, 40)[15, 20] == pytest.approx(1.0)
    assert np.allclose(seen.normal.reshape(30, 40, 3)[15, 20][:2], 0, atol=0.6)
    assert seen.areas[1] == pytest.approx(100)


@pytest.mark.parametrize("order", [1, -1])
def test_the_nearer_one_is_seen_in_whatever_order_they_are_drawn(order: int) -> None:
    seen = rasterise([cube(2, RED, 1, 0.6), cube(1, BLUE, 2, 0.1)][::order], VIEW)
    assert seen.label.reshape(30, 40)[15, 20] == 2
    assert np.array_equal(seen.albedo.reshape(30, 40, 3)[15, 20], BLUE)
    assert seen.label.reshape(30, 40)[15, 8] == 1


def test_what_comes_too_near_or_lies_behind_is_left_out() -> None:
    assert not rasterise([cube(-1, RED, 1), cube(0.06, RED, 1)], VIEW).nearness.any()


def test_a_picture_is_cut_out_where_it_is_transparent() -> None:
    texture = np.ones((8, 8, 4), np.float32)
    texture[:, :4, 3] = 0
    flat = sheet(0.2, 0.2)
    seen = rasterise([Surface(flat.vertices + [0, 0, 1], flat.triangles, RED, flat.uv, texture, label=3)], VIEW)
    mask = seen.label.reshape(30, 40) == 3
    assert not mask[:, :19].any()
    assert mask[15, 21:29].all()


def test_only_counted_triangles_carry_the_label() -> None:
    solid = box(0.1, 0.1, 0.1)
    none = np.zeros(len(solid.triangles), bool)
    seen = rasterise([cube(1, RED, 1, counted=none)], VIEW)
    assert seen.nearness.any()
    assert not seen.label.any()
    assert seen.areas == {1: 0.0}


def test_normals_look_outwards() -> None:
    solid = box(1, 1, 1)
    assert (np.einsum("ij,ij->i", vertex_normals(solid.vertices, solid.triangles), solid.vertices) > 0).all()
