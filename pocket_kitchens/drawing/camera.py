"""Camera of a clip: its sway, the room's light and sensor noise."""

from __future__ import annotations

import functools
import math

import cv2
import numpy as np

from pocket_kitchens.drawing.domains import Domain
from pocket_kitchens.drawing.layers import placement
from pocket_kitchens.drawing.spec import HEIGHT, WIDTH

_GAIN = (0.84, 1.16)
"""Gain of the darkest and the brightest room, as a factor of the drawn frame."""

_GAIN_STEP = 1 / 128
"""Step by which gains are stored in bytes; gains stay below 1.6."""

_SPARE = 160
"""Pixels by which the stored noise is larger than a frame: each frame cuts its own part out of it."""


class Camera:
    """Swaying head camera of a clip.

    It maps view pixels to frame pixels at each share of the clip.
    """

    def __init__(self, rng: np.random.Generator, domain: Domain) -> None:
        self._waves = rng.uniform(0.5, 3.0, 6), rng.uniform(0, 2 * math.pi, 6)
        self._far = rng.uniform(2, 5, 3)
        self._roll = float(rng.uniform(-domain.tilt, domain.tilt))
        self._zoom = float(rng.uniform(*domain.zoom))

    def at(self, share: float) -> np.ndarray:
        """Return the camera's affine map at a share of the clip.

        Args:
            share: 0 at the start of the clip, 1 at its end.

        Returns:
            float64 ``[2, 3]``, from view pixels to frame pixels.
        """
        often, phase = self._waves
        sway = np.sin(2 * math.pi * often * share + phase).reshape(2, 3).mean(0) * self._far
        centre = WIDTH / 2, HEIGHT / 2
        return placement(centre, (centre[0] + sway[0], centre[1] + sway[1]), self._zoom, self._roll + 0.4 * sway[2])


class Sensor:
    """Light and sensor of a clip, which turn drawn frames into pictures."""

    def __init__(self, rng: np.random.Generator, domain: Domain, seed: int) -> None:
        self._seed, self._noise = seed, domain.noise
        self._gain = np.rint(_light(rng, domain) / _GAIN_STEP).astype(np.uint8)
        grey = np.full((3, 3), 1 / 3)
        self._tone = grey + domain.saturation * (np.eye(3) - grey)

    def develop(self, drawn: np.ndarray, number: int) -> np.ndarray:
        """Add light and noise to a drawn frame.

        The noise depends on the clip and the number.

        Args:
            drawn: uint8 ``[192, 256, 3]``.
            number: number of the frame.

        Returns:
            uint8 ``[192, 256, 3]``.
        """
        lit = cv2.multiply(cv2.transform(drawn, self._tone), self._gain, scale=_GAIN_STEP)
        rng = np.random.default_rng((self._seed, number))
        top, left, mirrored = rng.integers((_SPARE, _SPARE, 2)).tolist()
        lighter, darker = _noise(self._noise, bool(mirrored))
        part = slice(top, top + HEIGHT), slice(left, left + WIDTH)
        return np.asarray(cv2.subtract(cv2.add(lit, lighter[part]), darker[part]))


def _light(rng: np.random.Generator, domain: Domain) -> np.ndarray:
    """Compute the gain of each pixel and colour, float32 ``[192, 256, 3]``.

    It holds the brightness of the room, a lamp on one side, and darker corners.
    """
    x, y = np.meshgrid(np.linspace(-1, 1, WIDTH), np.linspace(-1, 1, HEIGHT))
    angle = rng.uniform(0, 2 * math.pi)
    gain = rng.uniform(*_GAIN) * (1 + 0.16 * (x * math.cos(angle) + y * math.sin(angle)) - 0.1 * (x * x + y * y))
    colour = np.array([1 + 0.06 * domain.warmth, 1.0, 1 - 0.06 * domain.warmth])
    return (gain[..., None] * colour).astype(np.float32)


@functools.lru_cache(maxsize=8)
def _noise(deviation: float, mirrored: bool) -> tuple[np.ndarray, np.ndarray]:
    """Draw grey noise: what it adds and what it takes away.

    Each is uint8 ``[192 + spare, 256 + spare, 3]``: sums of bytes are many times faster than those of real numbers.
    """
    drawn = np.rint(np.random.default_rng(7).normal(0, deviation, (HEIGHT + _SPARE, WIDTH + _SPARE)))
    grey = np.repeat((drawn[:, ::-1] if mirrored else drawn)[..., None], 3, axis=2)
    return np.maximum(grey, 0).astype(np.uint8), np.maximum(-grey, 0).astype(np.uint8)
