"""Textures and colours of surfaces.

The textures are noise, wood, stripes, checks, speckles and skin.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np

_TILE = 128
_SKIN_SEEDS = 24


def noise(rng: np.random.Generator, height: int, width: int, octaves: int = 5, fall: float = 0.55) -> np.ndarray:
    """Draw smooth noise of several sizes.

    Returns:
        float32 ``[height, width]``, mean 0, standard deviation 1.
    """
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        cells = 2 << octave
        rough = rng.standard_normal((cells + 1, cells + 1), np.float32)
        total += fall**octave * cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC)
    total -= total.mean()
    spread: np.ndarray = total / (total.std() + 1e-6)
    return spread


def random_colour(rng: np.random.Generator) -> np.ndarray:
    """Draw a random colour, with the frequencies of rooms.

    Greys, browns and plain colours are frequent.

    Returns:
        float32 ``[3]``, 0 to 1.
    """
    value = rng.uniform(0.05, 0.95)
    hue, saturation = rng.random(), rng.beta(1.2, 2.2)
    if rng.random() < 0.3:
        hue, saturation = rng.normal(0.08, 0.02) % 1, rng.uniform(0.15, 0.7)
    turn = np.abs((hue + np.array([0, 2 / 3, 1 / 3])) % 1 * 6 - 3) - 1
    full = np.clip(turn, 0, 1)
    colour: np.ndarray = (value * (1 - saturation + saturation * full)).astype(np.float32)
    return colour


def random_texture(rng: np.random.Generator, height: int = _TILE, width: int = _TILE) -> np.ndarray:
    """Draw a texture that multiplies a colour.

    Returns:
        float32 ``[height, width, 3]`` around 1.
    """
    form = rng.random()
    plain = np.ones((height, width, 3), np.float32)
    if form < 0.2:
        return plain
    x, y = np.arange(width, dtype=np.float32)[None], np.arange(height, dtype=np.float32)[:, None]
    other = (random_colour(rng) + 0.1) / (random_colour(rng) + 0.3)
    if form < 0.4:
        grey = 1 + rng.uniform(0.03, 0.25) * noise(rng, height, width, 6, rng.uniform(0.45, 0.9))
        return plain * np.maximum(grey, 0)[..., None]
    if form < 0.55:  # wood
        bent = x * rng.uniform(0.02, 0.12) + 1.5 * noise(rng, height, width, 3) + 0.004 * y
        grain = 1 + rng.uniform(0.05, 0.2) * np.sin(2 * np.pi * bent) + 0.06 * rng.standard_normal((1, width))
        return (plain * grain[..., None]).astype(np.float32)
    if form < 0.7:  # stripes or checks
        wide, angle = rng.uniform(4, 40), rng.uniform(0, np.pi)
        line = np.sin((x * np.cos(angle) + y * np.sin(angle)) * np.pi / wide) > rng.uniform(-0.8, 0.8)
        if rng.random() < 0.5:
            line = line ^ (np.sin((y * np.cos(angle) - x * np.sin(angle)) * np.pi / wide) > 0)
        return np.where(line[..., None], other, plain).astype(np.float32)
    if form < 0.85:  # patches
        field = noise(rng, height, width, 4)
        patches = np.digitize(field, np.sort(rng.uniform(-1.5, 1.5, 3)))
        tints = np.stack([np.ones(3), *(rng.uniform(0.5, 1.5, (3, 3)))]).astype(np.float32)
        chosen: np.ndarray = tints[patches]
        return chosen
    speckled = (rng.random((height, width)) < rng.uniform(0.01, 0.2)).astype(np.float32)
    soft = cv2.GaussianBlur(speckled, (0, 0), rng.uniform(0.6, 2.0))
    return (1 + (other - 1) * np.minimum(3 * soft, 1)[..., None]).astype(np.float32)


@functools.lru_cache(maxsize=_SKIN_SEEDS)
def _skin_tile(number: int) -> np.ndarray:
    rng = np.random.default_rng((31, number))
    blotches = noise(rng, _TILE, _TILE, 3)
    pores = cv2.GaussianBlur(rng.standard_normal((_TILE, _TILE), np.float32), (0, 0), 0.8)
    folds = cv2.GaussianBlur(rng.standard_normal((_TILE, _TILE), np.float32), (0, 0), sigmaX=4, sigmaY=0.8)
    grey = 1 + 0.05 * blotches + 0.05 * pores + 0.16 * folds
    red = np.stack([0.02 * blotches, -0.02 * blotches, -0.015 * blotches], axis=2)
    tile: np.ndarray = (grey[..., None] + red).astype(np.float32)
    return tile


def skin_texture(rng: np.random.Generator) -> np.ndarray:
    """Draw a skin texture with pores, folds and blotches.

    Returns:
        float32 ``[128, 128, 3]`` around 1.
    """
    tile = _skin_tile(int(rng.integers(_SKIN_SEEDS)))
    return 1 + float(rng.uniform(0.3, 1.3)) * (tile - 1)


# From very light to very dark, sRGB.
_TONES = np.array(
    [
        [250, 220, 200], [240, 198, 170], [228, 178, 142], [209, 154, 116], [182, 126, 90],
        [150, 98, 68], [116, 74, 52], [84, 54, 40], [58, 38, 30],
    ],
    np.float32,
) / 255  # fmt: skip


def skin_tone(rng: np.random.Generator) -> np.ndarray:
    """Draw a skin colour from very light to very dark.

    Redder and yellower ones occur too.

    Returns:
        float32 ``[3]``, 0 to 1.
    """
    place = rng.uniform(0, len(_TONES) - 1)
    low = int(place)
    tone = _TONES[low] + (place - low) * (_TONES[min(low + 1, len(_TONES) - 1)] - _TONES[low])
    tint = 1 + rng.normal(0, 1, 3) * np.array([0.03, 0.04, 0.06])
    coloured: np.ndarray = np.clip(tone * tint, 0.02, 1).astype(np.float32)
    return coloured
