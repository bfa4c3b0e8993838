from __future__ import annotations

import numpy as np
import pytest

from packaged_models.hands.drawing.solids import Solid, arm, box, outward, random_solid, sheet, turned


def volume(solid: Solid) -> float:
    a, b, c = (solid.vertices[solid.triangles[:, corner]] for corner in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c))) / 6


def test_solids_are_closed_and_look_outwards() -> None:
    assert volume(box(1, 2, 3)) == pytest.approx(6)
    assert volume(turned([(0, 1), (2, 1)], around=200)) == pytest.approx(2 * np.pi, rel=1e-3)
    assert volume(turned([(2, 1), (0, 1)], around=200)) == pytest.approx(2 * np.pi, rel=1e-3)
    assert volume(sheet(1, 1)) == 0


def test_what_looks_inwards_is_turned_round() -> None:
    solid = box(1, 1, 1)
    inside_out = Solid(solid.vertices, solid.triangles[:, ::-1], solid.uv)
    assert volume(inside_out) < 0 < volume(outward(inside_out))


def test_an_arm_grows_from_the_wrist_to_the_elbow() -> None:
    along = np.array([0.1, -1, 0.2]) / np.linalg.norm([0.1, -1, 0.2])
    limb = arm(np.zeros(3), np.array([0.03, 0.02]), along, 0.25)
    places = limb.vertices @ along
    assert (places.min(), places.max()) == (pytest.approx(0, abs=1e-9), pytest.approx(0.25))
    girth = [
        np.linalg.norm(limb.vertices - np.outer(places, along), axis=1)[np.isclose(places, at)].max()
        for at in (0, 0.25)
    ]
    assert girth[0] < girth[1]
    assert volume(limb) > 0


def test_every_thing_fits_into_a_hand() -> None:
    for number in range(50):
        solid, radius = random_solid(np.random.default_rng(number))
        assert 0.003 < radius < 0.06
        assert np.ptp(solid.vertices, axis=0).max() < 0.35
        assert volume(solid) > 0
