from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from packaged_models.hands.drawing.limb import random_limb, random_look
from packaged_models.hands.drawing.mesh import HandMesh, read_mesh
from tests.packaged_models.hands.drawing.hand_file import write_hand


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> HandMesh:
    return read_mesh(write_hand(tmp_path_factory.mktemp("hand") / "hand.glb"))


def test_the_label_ends_at_the_wrist(mesh: HandMesh) -> None:
    rng = np.random.default_rng(0)
    limb = random_limb(mesh, random_look(rng), rng, 4, holding=0)
    hand, *others = limb.surfaces
    assert hand.label == 4
    assert hand.counted is not None
    assert (mesh.vertices[mesh.triangles[hand.counted], 1] > -0.006).all()
    assert not hand.counted.all()
    assert all(surface.label == 0 for surface in others)


def test_a_hand_holds_something_when_it_is_to(mesh: HandMesh) -> None:
    for number in range(12):
        rng = np.random.default_rng(number)
        limb = random_limb(mesh, random_look(rng), rng, 1, holding=1)
        assert limb.held == len(limb.surfaces) - 1
        thing = limb.surfaces[-1].vertices
        nearest = np.clip(limb.middle, thing.min(axis=0), thing.max(axis=0))
        assert np.linalg.norm(nearest - limb.middle) < 0.1
    assert random_limb(mesh, random_look(rng), rng, 1, holding=0).held is None


def test_gloves_and_sleeves_have_colours_of_their_own(mesh: HandMesh) -> None:
    rng = np.random.default_rng(1)
    green = np.array([0, 1.0, 0], np.float32)
    bare = replace(random_look(rng), glove=None, sleeve=None, band=None)
    gloved = replace(bare, glove=green, sleeve=(green, np.ones((4, 4, 3), np.float32)))
    assert random_limb(mesh, bare, rng, 1, 0).surfaces[0].colour[:, 0].min() > 0
    made = random_limb(mesh, gloved, rng, 1, 0).surfaces
    assert made[0].colour[:, 0].max() == 0
    assert np.array_equal(made[-1].colour, green)


def test_looks_are_varied() -> None:
    looks = [random_look(np.random.default_rng(number)) for number in range(100)]
    assert 2 < sum(look.glove is not None for look in looks) < 30
    assert 30 < sum(look.sleeve is not None for look in looks) < 70
