"""Change a picture's colours, textures and sharpness, but not its shapes.

A network that learns from drawn pictures must not depend on the shading and textures of the drawing program.
"""

from __future__ import annotations

import cv2
import numpy as np

from packaged_models.hands.drawing.lens import through_jpeg

_KERNELS = (1, 3, 5, 7)


def restyled(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Apply one of three changes of style to a picture.

    The changes are a random convolution, another camera's colours, and lost detail.

    Args:
        image: uint8 ``[H, W, 3]`` RGB.
        rng: decides everything.

    Returns:
        uint8 ``[H, W, 3]``.
    """
    form = rng.random()
    if form < 0.4:
        return _convolved(image, rng)
    return _recoloured(image, rng) if form < 0.75 else _degraded(image, rng)


def _convolved(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mix a picture with a random convolution of it.

    The convolution is a random linear filter from all channels to all (Xu et al., ICLR 2021, RandConv).
    """
    size = int(rng.choice(_KERNELS))
    kernels = rng.normal(0, 1 / np.sqrt(3 * size * size), (3, 3, size, size)).astype(np.float32)
    planes = [np.ascontiguousarray(image[..., channel], np.float32) for channel in range(3)]
    made = np.stack(
        [sum(cv2.filter2D(plane, -1, one) for plane, one in zip(planes, own, strict=True)) for own in kernels], axis=2
    )
    # With the mean and deviation of the picture, so that it is no darker and no paler.
    made = (made - made.mean()) / max(float(made.std()), 1e-3) * max(float(image.std()), 1.0) + image.mean()
    kept = float(rng.uniform(0, 1))
    return np.clip(kept * image + (1 - kept) * made, 0, 255).astype(np.uint8)


def _recoloured(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Apply other gains of the three colours and another gamma."""
    levels = np.arange(256) / 255
    gamma = float(np.exp(rng.normal(0, 0.35)))
    gains = np.exp(rng.normal(0, 0.2, 3))
    table = np.clip(255 * levels[:, None] ** gamma * gains, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, np.ascontiguousarray(table).reshape(1, 256, 3)))


def _degraded(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Remove pixels and add blocks of a low JPEG quality."""
    height, width = image.shape[:2]
    shrink = float(rng.uniform(1, 3))
    small = cv2.resize(image, (max(1, round(width / shrink)), max(1, round(height / shrink))))
    decoded = through_jpeg(small, int(rng.integers(12, 60)))
    return np.asarray(cv2.resize(decoded, (width, height), interpolation=cv2.INTER_LINEAR))
