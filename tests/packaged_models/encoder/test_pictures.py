from __future__ import annotations

import numpy as np

from packaged_models.encoder.pictures import DRAWN, SIDE, compose
from pocket_kitchens.drawing.objects import draw_object


def _drawn(*kinds: str) -> list[tuple[str, np.ndarray]]:
    return [(kind, draw_object(kind, 900, DRAWN)) for kind in kinds]


def test_a_picture_is_a_function_of_its_things_and_the_generator() -> None:
    drawn = _drawn("cup", "carrot")
    one, other, third = (compose(drawn, np.random.default_rng(seed)).rgb for seed in (3, 3, 4))
    assert one.shape == (SIDE, SIDE, 3)
    assert one.dtype == np.uint8
    assert np.array_equal(one, other)
    assert not np.array_equal(one, third)


def test_areas_are_those_that_can_be_seen() -> None:
    drawn = _drawn("plate", "plate", "plate")
    rng = np.random.default_rng(0)
    for _ in range(30):
        things = compose(drawn, rng).things
        assert things
        assert sum(area for _, area in things) <= SIDE * SIDE
        assert all(area > 0 for _, area in things)


def test_a_larger_least_size_makes_larger_things() -> None:
    drawn = _drawn("plate")
    small, large = (
        np.mean([compose(drawn, np.random.default_rng(seed), smallest).things[0][1] for seed in range(60)])
        for smallest in (0.22, 0.6)
    )
    assert large > 1.5 * small
