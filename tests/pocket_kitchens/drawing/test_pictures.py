from __future__ import annotations

import numpy as np
import pytest

from pocket_kitchens.drawing.domains import EPIC
from pocket_kitchens.drawing.hands import draw_hand, hand_look
from pocket_kitchens.drawing.kitchen import draw_kitchen
from pocket_kitchens.drawing.layers import prepared
from pocket_kitchens.drawing.pictures import PALM, hand_picture, kitchen_picture

LOOK = hand_look(3)


def test_clips_of_a_person_share_hands_of_nearly_one_grip_and_angle() -> None:
    one = hand_picture("right", LOOK, 0.5, 20.0)
    assert hand_picture("right", LOOK, 0.53, 21.5) is one
    for other in (("left", LOOK, 0.5, 20.0), ("right", LOOK, 0.7, 20.0), ("right", LOOK, 0.5, 25.0)):
        assert not np.array_equal(hand_picture(*other).whole.rgba, one.whole.rgba)  # type: ignore[arg-type]


@pytest.mark.parametrize(("side", "turned"), [("right", 20.0), ("left", -20.0)])
def test_an_arm_comes_from_the_side_of_its_hand(side, turned: float) -> None:
    drawn = draw_hand(side, LOOK, 0.5, 0.4, turned, PALM)
    assert np.array_equal(hand_picture(side, LOOK, 0.5, 20.0).whole.rgba, prepared(drawn.rgba).rgba)


def test_a_kitchen_is_drawn_once_and_nobody_draws_on_it() -> None:
    kitchen = kitchen_picture(4, EPIC)
    assert kitchen_picture(4, EPIC) is kitchen
    assert np.array_equal(kitchen, draw_kitchen(4, EPIC))
    with pytest.raises(ValueError, match="read-only"):
        kitchen[0, 0] = 0
