"""Draw the props of motions: lids, open boxes, jets of water."""

from __future__ import annotations

import functools

import cv2
import numpy as np

from pocket_kitchens.drawing.layers import Layer, prepared

LID = 96
"""Width of the picture of a lid in pixels; the lid fills it."""


@functools.lru_cache(maxsize=256)
def lid(instance: int) -> Layer:
    """Draw a lid with a knob, seen from above and in front.

    The rim is at two thirds of the picture's height.
    """
    rng = np.random.default_rng(instance)
    colour = rng.integers(80, 235, 3).astype(float)
    height = LID * 3 // 8
    picture = np.zeros((height, LID, 4), np.uint8)
    middle = LID // 2, height * 2 // 3
    for grow, shade in ((0, 0.45), (-3, 0.8), (-9, 1.0)):
        axes = LID // 2 - 2 + grow, height // 3 - 2 + grow // 2
        cv2.ellipse(picture, middle, axes, 0, 0, 360, _paint(colour, shade), -1, cv2.LINE_AA)
    knob = LID // 2, height // 3
    cv2.circle(picture, knob, height // 4, _paint(colour, 0.3), -1, cv2.LINE_AA)
    cv2.circle(picture, knob, height // 4 - 2, _paint(colour, 0.6), -1, cv2.LINE_AA)
    return prepared(picture)


@functools.lru_cache(maxsize=256)
def open_box(seed: int, front: bool) -> Layer:
    """Draw a box seen from above and in front.

    Args:
        seed: seed of the colour.
        front: draw the front wall that hides the contents, else the dark inside.
    """
    rng = np.random.default_rng(seed)
    colour = np.array([rng.uniform(130, 215), rng.uniform(100, 170), rng.uniform(70, 125)])
    picture = np.zeros((110, 120, 4), np.uint8)
    if front:
        cv2.rectangle(picture, (3, 72), (117, 106), _paint(colour, 0.55), -1)
        cv2.rectangle(picture, (5, 74), (115, 104), _paint(colour, 1.0), -1)
        cv2.rectangle(picture, (5, 74), (115, 78), _paint(colour, 1.15), -1)
        return prepared(picture)
    for inset, shade in ((0, 0.55), (2, 0.9), (6, 0.42)):
        outline = np.array([[3 + inset, 76], [15 + inset, 4 + inset], [105 - inset, 4 + inset], [117 - inset, 76]])
        cv2.fillPoly(picture, [outline], _paint(colour, shade), cv2.LINE_AA)
    return prepared(picture)


def draw_stream(canvas: np.ndarray, upper: np.ndarray, lower: np.ndarray, strength: float) -> None:
    """Draw a jet of water between two points, in place.

    Args:
        canvas: uint8 ``[H, W, 3]``.
        upper: (x, y) in pixels.
        lower: (x, y) in pixels.
        strength: opacity of the water; 1 is the most opaque.
    """
    (left, top), (right, bottom) = np.minimum(upper, lower).astype(int) - 5, np.maximum(upper, lower).astype(int) + 6
    left, top = max(left, 0), max(top, 0)
    part = canvas[top : max(bottom, top), left : max(right, left)]
    if not part.size:
        return
    wet = np.ascontiguousarray(part)
    start, end = ((int(x) - left, int(y) - top) for x, y in (upper, lower))
    cv2.line(wet, start, end, (200, 215, 235), 5, cv2.LINE_AA)
    part[:] = cv2.addWeighted(part, 1 - 0.7 * strength, wet, 0.7 * strength, 0)


def _paint(colour: np.ndarray, shade: float) -> tuple[int, int, int, int]:
    red, green, blue = np.clip(colour * shade, 0, 255).astype(int).tolist()
    return red, green, blue, 255
