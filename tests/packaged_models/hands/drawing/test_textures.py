from __future__ import annotations

import numpy as np
import pytest

from packaged_models.hands.drawing.textures import noise, random_colour, random_texture, skin_texture, skin_tone


def test_noise_has_mean_0_and_deviation_1() -> None:
    made = noise(np.random.default_rng(0), 40, 60)
    assert made.shape == (40, 60)
    assert (made.mean(), made.std()) == (pytest.approx(0, abs=1e-3), pytest.approx(1, abs=1e-3))


def test_textures_of_every_form_are_float32_and_not_negative() -> None:
    for number in range(40):
        made = random_texture(np.random.default_rng(number), 20, 30)
        assert (made.shape, made.dtype) == ((20, 30, 3), np.float32)
        assert (made > -0.3).all()


def test_skin_goes_from_very_light_to_very_dark_and_is_redder_than_blue() -> None:
    tones = np.array([skin_tone(np.random.default_rng(number)) for number in range(200)])
    assert tones.mean(axis=1).min() < 0.22
    assert tones.mean(axis=1).max() > 0.8
    assert (tones[:, 0] > tones[:, 2] * 0.95).all()


def test_equal_seeds_give_equal_surfaces() -> None:
    for make in (random_colour, random_texture, skin_texture):
        one, other = (make(np.random.default_rng(3)) for _ in range(2))
        assert np.array_equal(one, other)
