from __future__ import annotations

import numpy as np

from packaged_models.hands.drawing.pocket_frames import pocket_pictures


def test_pocket_frames_come_with_their_true_boxes_and_are_the_same_each_time() -> None:
    made = pocket_pictures(3, 0, 4)
    assert [picture.rgb.shape for picture in made] == [(192, 256, 3)] * 4
    assert any(picture.hands for picture in made)
    assert {hand.side for picture in made for hand in picture.hands} <= {"left", "right"}
    again = pocket_pictures(3, 0, 4)
    assert all(np.array_equal(a.rgb, b.rgb) and a.hands == b.hands for a, b in zip(made, again, strict=True))
    assert not np.array_equal(pocket_pictures(3, 1, 1)[0].rgb, made[0].rgb)
