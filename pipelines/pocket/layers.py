"""Putting drawn pictures on top of each other."""

from __future__ import annotations

import math

import cv2
import numpy as np


def placement(
    anchor: tuple[float, float], at: tuple[float, float], scale: float, turn: float = 0.0, squash: float = 1.0
) -> np.ndarray:
    """The affine map, float64 ``[2, 3]``, that puts a picture's anchor (x, y in its pixels) on a point of the canvas.

    Args:
        anchor: in the picture, pixels.
        at: on the canvas, pixels.
        scale: canvas pixels a picture pixel.
        turn: degrees, counter-clockwise as seen.
        squash: factor of the picture's width.
    """
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    turned = np.array([[cos, sin], [-sin, cos]]) * scale @ np.diag([squash, 1.0])
    shift = np.array(at) - turned @ np.array(anchor)
    return np.column_stack([turned, shift])


def joined(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The map that does ``first`` and then ``second``, each float64 ``[2, 3]``."""
    return np.column_stack([second[:, :2] @ first[:, :2], second[:, :2] @ first[:, 2] + second[:, 2]])


def moved(points: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Points ``[N, 2]`` under an affine map ``[2, 3]``."""
    return points @ by[:, :2].T + by[:, 2]


def prepared(picture: np.ndarray) -> np.ndarray:
    """A drawn picture as :func:`paste` takes it.

    Colours are multiplied by the opacity, else those of transparent pixels would bleed in at the edges.

    Args:
        picture: uint8 ``[h, w, 4]`` RGBA, straight alpha.

    Returns:
        float32 ``[h, w, 4]``, colours 0 to 255, opacity 0 to 1.
    """
    ready = picture.astype(np.float32)
    ready[..., 3] /= 255.0
    ready[..., :3] *= ready[..., 3:]
    return ready


def paste(canvas: np.ndarray, picture: np.ndarray, by: np.ndarray) -> None:
    """Draw a picture on the canvas, in place.

    Args:
        canvas: float32 ``[H, W, 3]``, 0 to 255.
        picture: from :func:`prepared`.
        by: where, float64 ``[2, 3]``, picture pixels to canvas pixels.
    """
    found = _warped(canvas.shape[:2], picture, by)
    if found is None:
        return
    (top, left), layer = found
    part = canvas[top : top + layer.shape[0], left : left + layer.shape[1]]
    part *= 1 - layer[..., 3:]
    part += layer[..., :3]


def coverage(shape: tuple[int, int], picture: np.ndarray, by: np.ndarray) -> np.ndarray:
    """How opaque a picture of :func:`prepared` is on each pixel of a canvas (H, W): float32 ``[H, W]``, 0 to 1."""
    covered = np.zeros(shape, np.float32)
    found = _warped(shape, picture, by)
    if found is not None:
        (top, left), layer = found
        covered[top : top + layer.shape[0], left : left + layer.shape[1]] = layer[..., 3]
    return covered


def _warped(shape: tuple[int, int], picture: np.ndarray, by: np.ndarray) -> tuple[tuple[int, int], np.ndarray] | None:
    """The part of the canvas that the picture reaches, and the picture there; None when it reaches none."""
    height, width = picture.shape[:2]
    corners = moved(np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64), by)
    left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)).astype(int), (shape[1], shape[0]))
    if left >= right or top >= bottom:
        return None
    local = by - np.array([[0, 0, left], [0, 0, top]])
    layer = cv2.warpAffine(picture, local, (int(right - left), int(bottom - top)), flags=cv2.INTER_LINEAR)
    return (int(top), int(left)), layer
