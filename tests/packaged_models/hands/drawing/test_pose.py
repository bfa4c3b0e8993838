from __future__ import annotations

import numpy as np
import pytest

from packaged_models.hands.drawing.mesh import HandMesh, read_mesh
from packaged_models.hands.drawing.pose import HandPose, flat_pose, grasp_pose, pinch_pose, posed, random_pose
from tests.packaged_models.hands.drawing.hand_file import joint_place, write_hand


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> HandMesh:
    return read_mesh(write_hand(tmp_path_factory.mktemp("hand") / "hand.glb"))


def bent(degrees: float) -> HandPose:
    return HandPose(np.full((4, 3), degrees), np.zeros(4), np.zeros(4))


def test_a_hand_at_rest_is_the_mesh(mesh: HandMesh) -> None:
    hand = posed(mesh, bent(0))
    assert np.allclose(hand.vertices, mesh.vertices)
    assert np.allclose(hand.joint("index-finger-tip"), joint_place("index-finger-tip"), atol=1e-6)


def test_bent_fingers_come_out_of_the_palm_and_keep_their_bones(mesh: HandMesh) -> None:
    hand = posed(mesh, bent(60))
    straight, tip = joint_place("middle-finger-tip"), hand.joint("middle-finger-tip")
    assert tip[2] > 0.03
    assert tip[1] < straight[1]
    length = np.linalg.norm(tip - hand.joint("middle-finger-phalanx-distal"))
    assert length == pytest.approx(np.linalg.norm(straight - joint_place("middle-finger-phalanx-distal")))
    assert np.allclose(hand.joint("thumb-tip"), joint_place("thumb-tip"), atol=1e-6)


def test_fingers_spread_to_the_thumb(mesh: HandMesh) -> None:
    hand = posed(mesh, HandPose(np.zeros((4, 3)), np.array([20.0, 0, 0, 0]), np.zeros(4)))
    assert hand.joint("index-finger-tip")[0] > joint_place("index-finger-tip")[0] + 0.02


def test_a_thick_thing_is_held_by_straighter_fingers() -> None:
    thin, thick = (
        np.mean([grasp_pose(np.random.default_rng(n), r).bends.mean() for n in range(20)]) for r in (0.01, 0.05)
    )
    assert thin > thick + 15


@pytest.mark.parametrize("pose", [random_pose, pinch_pose, flat_pose])
def test_joints_stay_within_what_a_hand_can_do(pose: object) -> None:
    for number in range(60):
        made = pose(np.random.default_rng(number))  # type: ignore[operator]
        assert (made.bends > -35).all()
        assert (made.bends < 125).all()
        assert (np.abs(made.spreads) < 25).all()
        assert (np.abs(made.thumb) < 90).all()
