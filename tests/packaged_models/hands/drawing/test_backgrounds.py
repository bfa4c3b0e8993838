from __future__ import annotations

import numpy as np

from packaged_models.hands.drawing.backgrounds import paste_thing, random_background


def test_backgrounds_have_the_size_asked_for_and_are_all_different() -> None:
    made = [random_background(np.random.default_rng(number), 48, 64) for number in range(12)]
    assert all((one.shape, one.dtype) == ((48, 64, 3), np.float32) for one in made)
    assert len({one.tobytes() for one in made}) == 12
    assert np.array_equal(made[3], random_background(np.random.default_rng(3), 48, 64))


def test_a_thing_is_drawn_onto_the_picture() -> None:
    canvas = np.zeros((64, 64, 3), np.uint8)
    paste_thing(canvas, np.random.default_rng(1), 0.4, 0.5)
    assert canvas.any()
