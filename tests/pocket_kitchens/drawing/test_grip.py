from __future__ import annotations

import numpy as np
import pytest

from pocket_kitchens.drawing.grip import HIDDEN, PALMS, Grip, choose_grip, points_to_grip
from pocket_kitchens.drawing.layers import Layer, prepared


def _bar() -> Layer:
    """A bar 100 pixels long and 20 wide."""
    picture = np.zeros((128, 128, 4), np.uint8)
    picture[54:74, 14:114] = 255
    return prepared(picture)


def test_a_thing_is_taken_on_itself_and_not_at_its_ends() -> None:
    points = points_to_grip(_bar())
    assert points[:, 0].min() > 14 + 8
    assert points[:, 0].max() < 114 - 8
    assert points[:, 1].min() >= 54
    assert points[:, 1].max() < 74


@pytest.mark.parametrize("holds", [True, False])
def test_the_grip_that_hides_about_as_much_as_hands_do_is_found(holds: bool) -> None:
    # Hides more the larger the palm is and the further to the left the thing is taken: most grips are far off.
    def hidden(grip: Grip) -> float:
        return (grip.palm / PALMS[1]) ** 3 * (1 - grip.along[0] / 128) + grip.acting[0] + grip.other[0]

    for seed in range(20):
        grip = choose_grip(np.random.default_rng(seed), _bar(), holds, 1.0, None, hidden)
        assert HIDDEN[0] - 0.05 < hidden(grip) < HIDDEN[1] + 0.05
        assert PALMS[0] <= grip.palm <= PALMS[1]
        assert holds == (grip.acting == (0.0, 0.0))


def test_a_hand_that_takes_a_lid_stays_on_it() -> None:
    grip = choose_grip(np.random.default_rng(0), _bar(), False, 1.0, (0.1, -0.2), lambda grip: grip.palm / 90)
    assert grip.acting == (0.1, -0.2)
