"""Draw worktops, the backgrounds of clips.

A worktop is drawn once per clip and is larger than the view.
"""

from __future__ import annotations

import cv2
import numpy as np

from pocket_kitchens.drawing.domains import Domain

SCALE = 256
"""Pixels per view unit."""

MARGIN = 0.22
"""View units around the view, for a camera that moves and turns."""

Colour = tuple[float, float, float]


def draw_kitchen(seed: int, domain: Domain) -> np.ndarray:
    """Draw the worktop of a kitchen with wall, sink or hob.

    Args:
        seed: seed of the kitchen.
        domain: look of its kitchens.

    Returns:
        uint8 ``[H, W, 3]`` RGB, the view and :data:`MARGIN` on every side.
    """
    generator = np.random.default_rng(seed)
    width, height = round((1 + 2 * MARGIN) * SCALE), round((0.75 + 2 * MARGIN) * SCALE)
    top = _colour(generator, domain.warmth)
    picture = _tiles(generator, top, width, height) if domain.tiles else _worktop(generator, top, width, height)
    edge = round(height * generator.uniform(0.16, 0.3))
    wall = _colour(generator, -domain.warmth)
    picture[:edge] = wall
    cv2.rectangle(picture, (0, edge - 3), (width, edge), tuple(0.55 * value for value in wall), -1)
    for _ in range(int(generator.integers(1, 3))):
        _fixture(picture, generator, edge)
    return np.clip(cv2.GaussianBlur(picture, (0, 0), 0.8), 0, 255).astype(np.uint8)


def _colour(generator: np.random.Generator, warmth: float) -> Colour:
    light = generator.uniform(92, 200)
    tint = generator.normal(14 * warmth, 12)
    red, green, blue = light + tint, light + generator.normal(0, 6), light - tint
    return float(red), float(green), float(blue)


def _worktop(generator: np.random.Generator, colour: Colour, width: int, height: int) -> np.ndarray:
    """Draw grained wood or speckled stone."""
    rough = generator.normal(0, 1, (height, width)).astype(np.float32)
    if generator.random() < 0.6:
        grain = cv2.GaussianBlur(rough, (0, 0), sigmaX=generator.uniform(14, 30), sigmaY=1.2) * 60
    else:
        grain = cv2.GaussianBlur(rough, (0, 0), 1.0) * 22
    return np.asarray(colour, np.float32) + grain[..., None]


def _tiles(generator: np.random.Generator, colour: Colour, width: int, height: int) -> np.ndarray:
    """Draw tiles with joints, each of a slightly different shade."""
    side = int(generator.integers(34, 70))
    rows, columns = -(-height // side), -(-width // side)
    shades = generator.normal(0, 7, (rows, columns)).astype(np.float32)
    picture = np.repeat(np.repeat(shades, side, 0), side, 1)[:height, :width, None] + np.asarray(colour, np.float32)
    joint = 0.7 if generator.random() < 0.5 else 1.25
    picture[::side] *= joint
    picture[:, ::side] *= joint
    return picture.astype(np.float32)


def _fixture(picture: np.ndarray, generator: np.random.Generator, edge: int) -> None:
    """Draw a sink or a hob at the back of the worktop."""
    width = picture.shape[1]
    x = int(generator.integers(20, width - 130))
    y, right, bottom = edge + 6, x + int(generator.integers(90, 130)), edge + int(generator.integers(46, 70))
    if generator.random() < 0.5:
        grey = float(generator.uniform(120, 190))
        cv2.rectangle(picture, (x, y), (right, bottom), (grey, grey, grey + 6), -1)
        cv2.rectangle(picture, (x + 8, y + 7), (right - 8, bottom - 7), (0.7 * grey,) * 3, -1)
        cv2.circle(picture, ((x + right) // 2, (y + bottom) // 2), 5, (0.35 * grey,) * 3, -1, cv2.LINE_AA)
        return
    dark = float(generator.uniform(20, 60))
    cv2.rectangle(picture, (x, y), (right, bottom), (dark, dark, dark), -1)
    for place in (0.28, 0.72):
        centre = round(x + place * (right - x)), (y + bottom) // 2
        cv2.circle(picture, centre, (bottom - y) // 3, (dark + 45, dark + 38, dark + 36), 3, cv2.LINE_AA)
        cv2.circle(picture, centre, (bottom - y) // 6, (dark + 30,) * 3, 2, cv2.LINE_AA)
