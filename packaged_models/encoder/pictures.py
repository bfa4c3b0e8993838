"""Compose third-person pictures of things on a plain ground.

The things are seen as a person across the table or a shop's camera sees them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from pocket_kitchens.drawing.layers import moved, placement

SIDE = 128
"""Pixels of a picture's side, the encoder's input."""

DRAWN = 96
"""Pixels of the side of a drawn thing before it is placed."""

SMALLEST = 0.22
"""The least longer side of a thing, as a share of the picture's side."""


@dataclass(frozen=True, eq=False)
class Picture:
    """Composed picture with its visible things.

    Attributes:
        rgb: uint8 ``[128, 128, 3]``.
        things: (kind, visible area in pixels) of the things in view.
    """

    rgb: np.ndarray
    things: list[tuple[str, float]]


def compose(drawn: list[tuple[str, np.ndarray]], rng: np.random.Generator, smallest: float = SMALLEST) -> Picture:
    """Compose a picture of some things, first at the back.

    Args:
        drawn: (kind, uint8 ``[96, 96, 4]`` from :func:`pocket_kitchens.drawing.objects.draw_object`), one to four.
        rng: decides ground, places and light.
        smallest: the least longer side of a thing, as a share of the picture's side.
    """
    canvas = _ground(rng)
    seen: list[tuple[str, np.ndarray]] = []
    for kind, rgba in drawn:
        thing = _premultiplied(rgba)
        largest = 0.95 if len(drawn) == 1 else 0.7
        size = SIDE * math.exp(rng.uniform(math.log(smallest), math.log(largest)))
        room = max(0.1, 0.5 - 0.35 * size / SIDE)
        at = SIDE * (0.5 + rng.uniform(-room, room)), SIDE * (0.5 + rng.uniform(-room, room))
        turn = float(rng.uniform(-180, 180) if rng.random() < 0.25 else rng.normal(0, 14))
        by = placement((DRAWN / 2,) * 2, at, size / DRAWN, turn)
        if rng.random() < 0.6:
            shade = placement((DRAWN / 2,) * 2, (at[0] + 3, at[1] + 4), size / DRAWN, turn)
            _laid(canvas, thing * np.array([0, 0, 0, rng.uniform(0.1, 0.4)], np.float32), shade)
        covered = _laid(canvas, thing, by)
        seen = [(other, area * (1 - covered)) for other, area in seen] + [(kind, covered)]
    things = [(kind, float(area.sum())) for kind, area in seen]
    return Picture(photographed(canvas, rng), [(kind, area) for kind, area in things if area > 40] or things[-1:])


def photographed(canvas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Apply light, colour, blur and noise of a random camera.

    Args:
        canvas: float32 ``[H, W, 3]``, 0 to 255; changed.
        rng: decides the camera.

    Returns:
        uint8 ``[H, W, 3]``.
    """
    canvas *= (rng.uniform(0.6, 1.25) * (1 + rng.normal(0, 0.06, 3))).astype(np.float32)
    if rng.random() < 0.3:
        canvas = cv2.GaussianBlur(canvas, (0, 0), float(rng.uniform(0.4, 1.3)))
    grey = canvas.mean(axis=2, keepdims=True)
    canvas = grey + float(rng.uniform(0.6, 1.3)) * (canvas - grey)
    noise = rng.standard_normal(canvas.shape[:2], np.float32) * float(rng.uniform(0, 7))
    return np.clip(canvas + noise[..., None], 0, 255).astype(np.uint8)


def _premultiplied(rgba: np.ndarray) -> np.ndarray:
    """Multiply the colours by the opacity.

    The result is float32 ``[h, w, 4]``: colours 0 to 255 times the opacity, opacity 0 to 1.
    """
    thing = rgba.astype(np.float32)
    thing[..., 3] /= 255.0
    thing[..., :3] *= thing[..., 3:]
    return thing


def _laid(canvas: np.ndarray, thing: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Draw a thing on the canvas, in place.

    The result is the share of each pixel that the thing covers, float32 ``[128, 128]``.
    """
    corners = moved(DRAWN * np.array([[0.0, 0], [1, 0], [0, 1], [1, 1]]), by)
    left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)).astype(int), SIDE)
    covered = np.zeros((SIDE, SIDE), np.float32)
    if left >= right or top >= bottom:
        return covered
    local = by - np.array([[0, 0, left], [0, 0, top]])
    layer = cv2.warpAffine(thing, local, (int(right - left), int(bottom - top)), flags=cv2.INTER_LINEAR)
    part = canvas[top:bottom, left:right]
    part *= 1 - layer[..., 3:]
    part += layer[..., :3]
    covered[top:bottom, left:right] = layer[..., 3]
    return covered


def _ground(rng: np.random.Generator) -> np.ndarray:
    """Draw a plain, graded, grained, chequered or cluttered ground."""
    first, second = rng.uniform(30, 245, (2, 3)).astype(np.float32)
    if rng.random() < 0.5:
        first = np.full(3, first.mean(), np.float32) + rng.normal(0, 8, 3).astype(np.float32)
    ground = np.broadcast_to(first, (SIDE, SIDE, 3)).copy()
    form = rng.random()
    if form < 0.25:
        ramp = np.linspace(0, 1, SIDE, dtype=np.float32)[:, None, None]
        ground += ramp * (second - first) * 0.6
    elif form < 0.45:
        rough = rng.standard_normal((SIDE, SIDE), np.float32)
        ground += cv2.GaussianBlur(rough, (0, 0), sigmaX=float(rng.uniform(1, 20)), sigmaY=1.2)[..., None] * 40
    elif form < 0.6:
        side = int(rng.integers(14, 44))
        ground[::side] *= 0.75
        ground[:, ::side] *= 0.75
    elif form < 0.8:
        for _ in range(int(rng.integers(2, 7))):
            centre, axes = rng.integers(0, SIDE, 2).tolist(), rng.integers(6, 40, 2).tolist()
            colour = rng.uniform(30, 245, 3).tolist()
            if rng.random() < 0.5:
                cv2.ellipse(ground, centre, axes, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
            else:
                cv2.rectangle(ground, centre, [centre[0] + axes[0], centre[1] + axes[1]], colour, -1)
        ground = cv2.GaussianBlur(ground, (0, 0), float(rng.uniform(0.5, 4)))
    if rng.random() < 0.4:
        edge = int(rng.integers(SIDE // 6, SIDE // 2))
        ground[:edge] = second
    return ground
