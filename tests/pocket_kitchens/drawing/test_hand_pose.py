from __future__ import annotations

import numpy as np
import pytest

from pocket_kitchens.drawing.hand_pose import ARM_LENGTH, pose_right_hand


def phalanges(grip: float, spread: float = 0.5, angle: float = 0.0) -> dict[tuple[int, int], np.ndarray]:
    parts = pose_right_hand(grip, spread, angle, slim=1.0).parts
    return {(part.digit, part.joint): part.centres for part in parts if part.kind == "finger"}


def test_a_hand_has_four_fingers_of_three_phalanges_a_thumb_of_two_with_its_ball_and_a_palm() -> None:
    parts = pose_right_hand(0.3, 0.5, 0.0, slim=1.0).parts
    assert sorted((part.digit, part.joint) for part in parts) == (
        [(-1, 0), (0, 0), (0, 1), (0, 2)] + [(digit, joint) for digit in (1, 2, 3, 4) for joint in (1, 2, 3)]
    )


@pytest.mark.parametrize("grip", [0.0, 0.5, 1.0])
def test_each_phalanx_starts_where_the_one_before_ends(grip: float) -> None:
    found = phalanges(grip)
    for digit in (1, 2, 3, 4):
        for joint in (2, 3):
            assert found[digit, joint][0] == pytest.approx(found[digit, joint - 1][1])


def test_open_fingers_point_up_and_a_fist_brings_the_tips_back() -> None:
    open_hand, fist = phalanges(0.0), phalanges(1.0)
    for digit in (1, 2, 3, 4):
        assert open_hand[digit, 3][1, 1] < open_hand[digit, 1][0, 1] - 0.6
        assert np.linalg.norm(fist[digit, 3][1] - fist[digit, 1][0]) < 0.6


def test_the_thumb_of_a_right_hand_is_on_the_left_and_the_nails_of_an_open_hand_are_seen() -> None:
    parts = pose_right_hand(0.0, 0.5, 0.0, slim=1.0).parts
    tip = next(part for part in parts if (part.digit, part.joint) == (0, 2))
    assert tip.centres[1, 0] < min(part.centres[:, 0].min() for part in parts if part.kind == "finger")
    assert all(part.back[2] > 0.5 for part in parts if part.joint == 3)


def test_parts_come_from_the_lowest_to_the_highest() -> None:
    depths = [part.depth for part in pose_right_hand(0.6, 0.5, 20.0, slim=1.0).parts]
    assert depths == sorted(depths)


def test_turning_is_about_the_wrist_and_keeps_the_hand_rigid() -> None:
    straight, turned = pose_right_hand(0.5, 0.5, 0.0, slim=1.0), pose_right_hand(0.5, 0.5, 90.0, slim=1.0)
    assert turned.arm[0] == pytest.approx(straight.arm[0])
    assert turned.arm[1] == pytest.approx((ARM_LENGTH, 0.0))
    # A quarter turn in the picture takes (x, y) to (y, -x): the fingers swing from up to left.
    assert turned.anchor == pytest.approx((straight.anchor[1], -straight.anchor[0]))


def test_slim_changes_the_thickness_of_fingers_and_not_their_length() -> None:
    thin, thick = (pose_right_hand(0.2, 0.5, 0.0, slim).parts for slim in (0.85, 1.15))
    for one, other in zip(thin, thick, strict=True):
        assert one.centres == pytest.approx(other.centres)
        if one.kind != "palm":
            assert (one.radii < other.radii).all()
