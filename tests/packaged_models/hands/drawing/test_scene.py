from __future__ import annotations

import numpy as np
import pytest

from packaged_models.hands.drawing.mesh import HandMesh, read_mesh
from packaged_models.hands.drawing.scene import Picture, draw_picture
from tests.packaged_models.hands.drawing.hand_file import write_hand


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> HandMesh:
    return read_mesh(write_hand(tmp_path_factory.mktemp("hand") / "hand.glb"))


@pytest.fixture(scope="module")
def pictures(mesh: HandMesh) -> list[Picture]:
    return [draw_picture(mesh, 1, index, 96) for index in range(40)]


def test_the_same_seed_and_number_give_the_same_picture(mesh: HandMesh, pictures: list[Picture]) -> None:
    again = draw_picture(mesh, 1, 7, 96)
    assert np.array_equal(again.rgb, pictures[7].rgb)
    assert again.hands == pictures[7].hands
    assert not np.array_equal(draw_picture(mesh, 2, 7, 96).rgb[:50, :50], pictures[7].rgb[:50, :50])


def test_boxes_lie_in_the_picture_and_hold_more_than_a_few_pixels(pictures: list[Picture]) -> None:
    for picture in pictures:
        height, width = picture.rgb.shape[:2]
        assert max(height, width) == 96
        for hand in picture.hands:
            x0, y0, x1, y1 = hand.box
            assert 0 <= x0 < x1 <= 1
            assert 0 <= y0 < y1 <= 1
            assert min((x1 - x0) * width, (y1 - y0) * height) >= 5


def test_there_are_left_and_right_hands_held_things_and_pictures_without_hands(pictures: list[Picture]) -> None:
    hands = [hand for picture in pictures for hand in picture.hands]
    assert {hand.side for hand in hands} == {"left", "right"}
    assert any(hand.held for hand in hands)
    assert not all(hand.held for hand in hands)
    assert any(not picture.hands for picture in pictures)
    assert any(len(picture.hands) >= 2 for picture in pictures)
