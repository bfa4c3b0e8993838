from __future__ import annotations

import numpy as np
import pytest

from pocket_kitchens.drawing.camera import Sensor
from pocket_kitchens.drawing.domains import EGO4D, EPIC, Domain
from pocket_kitchens.drawing.spec import HEIGHT, WIDTH

GREY = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)


@pytest.mark.parametrize("domain", [EPIC, EGO4D], ids=lambda domain: domain.name)
def test_noise_is_as_strong_as_the_domain_says_and_new_in_every_frame(domain: Domain) -> None:
    sensor = Sensor(np.random.default_rng(1), domain, seed=5)
    one, other = (sensor.develop(GREY, number).astype(float) for number in (0, 1))
    assert (one - other).std() / np.sqrt(2) == pytest.approx(domain.noise, rel=0.1)
    assert np.array_equal(sensor.develop(GREY, 0), one)


def test_rooms_are_differently_bright_and_warm_as_their_domain() -> None:
    for domain, sign in ((EPIC, 1), (EGO4D, -1)):
        frames = [Sensor(np.random.default_rng(seed), domain, 5).develop(GREY, 0) for seed in range(20)]
        assert np.std([frame.mean() for frame in frames]) > 5
        assert all(sign * (frame[..., 0].mean() - frame[..., 2].mean()) > 4 for frame in frames)
