"""Put drawn pictures on top of each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

_SHARP = 0.75
"""Pixels that a picture may move within one exposure and still be drawn once."""

Window = tuple[int, int, int, int]
"""left, top, right, bottom in pixels of the canvas."""


@dataclass(frozen=True, eq=False)
class Layer:
    """Picture with opacity, to be pasted on others.

    Colours are multiplied by the opacity, else those of transparent pixels would bleed in at the edges.

    Attributes:
        rgba: uint8 ``[h, w, 4]``.
        opacity: uint8 ``[h, w]``, a copy of the last channel.
    """

    rgba: np.ndarray
    opacity: np.ndarray


def placement(
    anchor: tuple[float, float], at: tuple[float, float], scale: float, turn: float = 0.0, squash: float = 1.0
) -> np.ndarray:
    """Compute the affine map that places a picture on a canvas.

    The map puts the picture's anchor on a point of the canvas.

    Args:
        anchor: (x, y) in the picture, pixels.
        at: (x, y) on the canvas, pixels.
        scale: canvas pixels per picture pixel.
        turn: degrees, counter-clockwise as seen.
        squash: factor of the picture's width.

    Returns:
        float64 ``[2, 3]``.
    """
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    a, b, c, d = cos * scale * squash, sin * scale, -sin * scale * squash, cos * scale
    (x, y), (to_x, to_y) = anchor, at
    return np.array([[a, b, to_x - a * x - b * y], [c, d, to_y - c * x - d * y]])


def joined(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Compose two affine maps: ``first``, then ``second``.

    Each is float64 ``[2, 3]``.
    """
    both = second[:, :2] @ first
    both[:, 2] += second[:, 2]
    return both


def moved(points: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Apply an affine map ``[2, 3]`` to points ``[N, 2]``."""
    return points @ by[:, :2].T + by[:, 2]


def prepared(picture: np.ndarray) -> Layer:
    """Make a layer of a drawn picture.

    Args:
        picture: uint8 ``[h, w, 4]`` RGBA with straight alpha.
    """
    opacity = np.ascontiguousarray(picture[..., 3])
    solid = cv2.multiply(picture, cv2.merge([opacity] * 4), scale=1 / 255)
    solid[..., 3] = opacity
    return Layer(solid, opacity)


def shadow(layer: Layer, strength: float) -> Layer:
    """Make a black layer with the outline of another.

    Its opacity is ``strength`` times that of the other layer.
    """
    opacity = cv2.convertScaleAbs(layer.opacity, alpha=strength)
    nothing = np.zeros_like(opacity)
    return Layer(cv2.merge([nothing, nothing, nothing, opacity]), opacity)


def exposures(size: tuple[int, int], first: np.ndarray, last: np.ndarray) -> Sequence[np.ndarray]:
    """Choose the maps over an exposure that must be drawn.

    Args:
        size: width and height of the picture that they place, pixels.
        first: the map at the start of the exposure, float64 ``[2, 3]``.
        last: the map at its end.

    Returns:
        The map in the middle when nothing moves, else both maps, with two between them when something moves far.
    """
    way = last - first
    far = max(map(abs, _reach(size, way)))
    if far < _SHARP:
        return [first + way / 2]
    return [first, first + way / 3, last - way / 3, last] if far > 4 * _SHARP else [first, last]


def exposed(picture: np.ndarray, maps: Sequence[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """Average a picture under one, two or four maps.

    Args:
        picture: uint8.
        maps: float64 ``[2, 3]`` each.
        size: (width, height) of the result in pixels.

    Returns:
        uint8.
    """
    drawn = [cv2.warpAffine(picture, by, size, flags=cv2.INTER_LINEAR) for by in maps]
    while len(drawn) > 1:
        drawn = [cv2.addWeighted(a, 0.5, b, 0.5, 0) for a, b in zip(drawn[::2], drawn[1::2], strict=True)]
    return np.asarray(drawn[0])


def paste(canvas: np.ndarray, layer: Layer, *maps: np.ndarray) -> None:
    """Draw a layer on the canvas, in place.

    Args:
        canvas: uint8 ``[H, W, 3]``.
        layer: the layer to draw.
        maps: float64 ``[2, 3]``, picture pixels to canvas pixels; two are the start and the end of an exposure.
    """
    height, width = layer.opacity.shape
    drawn_at = exposures((width, height), maps[0], maps[1]) if len(maps) == 2 else maps
    view = window(canvas.shape[:2], layer, *maps)
    if view is None:
        return
    left, top, right, bottom = view
    drawn = exposed(layer.rgba, [_shifted(by, left, top) for by in drawn_at], (right - left, bottom - top))
    clear = cv2.bitwise_not(cv2.extractChannel(drawn, 3))
    part = canvas[top:bottom, left:right]
    under = cv2.multiply(part, cv2.merge([clear] * 3), scale=1 / 255)
    part[:] = cv2.add(under, cv2.cvtColor(drawn, cv2.COLOR_RGBA2RGB))


def window(shape: tuple[int, int], layer: Layer, *maps: np.ndarray) -> Window | None:
    """Compute the part of a canvas that a layer reaches.

    Args:
        shape: height and width of the canvas, pixels.
        layer: the layer.
        maps: float64 ``[2, 3]`` each, picture pixels to canvas pixels.

    Returns:
        The part of the canvas that the layer reaches under some map; None when it reaches none.
    """
    height, width = layer.opacity.shape
    lefts, tops, rights, bottoms = zip(*(_reach((width, height), by) for by in maps), strict=True)
    left, top = max(math.floor(min(lefts)), 0), max(math.floor(min(tops)), 0)
    right, bottom = min(math.ceil(max(rights)), shape[1]), min(math.ceil(max(bottoms)), shape[0])
    return None if left >= right or top >= bottom else (left, top, right, bottom)


def coverage(layer: Layer, by: np.ndarray, view: Window) -> np.ndarray:
    """Compute a layer's opacity on a part of the canvas.

    Returns:
        uint8 ``[bottom - top, right - left]``.
    """
    left, top, right, bottom = view
    local = _shifted(by, left, top)
    return np.asarray(cv2.warpAffine(layer.opacity, local, (right - left, bottom - top), flags=cv2.INTER_LINEAR))


def _reach(size: tuple[int, int], by: np.ndarray) -> tuple[float, float, float, float]:
    """Compute the left, top, right and bottom of a mapped picture."""
    (a, b, x), (c, d, y) = by.tolist()
    width, height = size
    left, right = x + min(a * width, 0) + min(b * height, 0), x + max(a * width, 0) + max(b * height, 0)
    top, bottom = y + min(c * width, 0) + min(d * height, 0), y + max(c * width, 0) + max(d * height, 0)
    return left, top, right, bottom


def _shifted(by: np.ndarray, left: int, top: int) -> np.ndarray:
    return by - np.array([[0, 0, left], [0, 0, top]])
