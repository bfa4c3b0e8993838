"""Solid things as triangles: turned shapes, boxes, tubes, sheets.

A sheet is a flat picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Solid:
    """Triangle mesh of a shape in its own axes, metres.

    Attributes:
        vertices: float64 ``[V, 3]``.
        triangles: int64 ``[T, 3]``, counter-clockwise seen from outside.
        uv: float32 ``[V, 2]``.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    uv: np.ndarray


def turned(
    profile: list[tuple[float, float]], around: int = 18, squash: float = 1.0, repeat: tuple[float, float] = (1, 1)
) -> Solid:
    """Turn a profile about the y axis to a closed shape.

    The shape is closed at both ends.

    Args:
        profile: (y, radius) from one end to the other, metres.
        around: number of corners of a ring.
        squash: factor of the shape's z.
        repeat: number of repetitions of a texture around and along.
    """
    profile = [(profile[0][0], 0.0), *profile, (profile[-1][0], 0.0)]
    angles = np.linspace(0, 2 * np.pi, around + 1)
    y, radius = np.array(profile).T
    x = radius[:, None] * np.cos(angles)
    z = radius[:, None] * np.sin(angles) * squash
    vertices = np.stack([x, np.broadcast_to(y[:, None], x.shape), z], axis=2).reshape(-1, 3)
    along = (y - y.min()) / max(float(np.ptp(y)), 1e-9)
    uv = np.stack(np.broadcast_arrays(repeat[0] * angles / (2 * np.pi), repeat[1] * along[:, None]), axis=2)
    ring = np.arange(around)
    start = (np.arange(len(y) - 1) * (around + 1))[:, None]
    a, b, c, d = start + ring, start + ring + 1, start + ring + around + 2, start + ring + around + 1
    triangles = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    return outward(Solid(vertices, triangles, uv.reshape(-1, 2).astype(np.float32)))


def box(width: float, height: float, depth: float) -> Solid:
    """Make a box around the origin, in metres.

    Each face shows the whole texture.
    """
    corners = np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])
    vertices: list[np.ndarray] = []
    triangles: list[list[int]] = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            face = np.insert(corners, axis, sign, axis=1)
            turn = sign * (1 if axis != 1 else -1) > 0
            first = 4 * len(vertices)
            order = [[0, 1, 2], [0, 2, 3]] if turn else [[0, 2, 1], [0, 3, 2]]
            triangles += [[first + place for place in corner] for corner in order]
            vertices.append(face)
    uv = np.tile((corners + 1) / 2 * 0.999, (6, 1)).astype(np.float32)
    return Solid(np.concatenate(vertices) * np.array([width, height, depth]) / 2, np.array(triangles), uv)


def sheet(width: float, height: float) -> Solid:
    """Make a flat picture in the x–y plane, in metres.

    It is seen from both sides; y is up in it.
    """
    corners = np.array([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]])
    uv = np.array([[0, 0.999], [0.999, 0.999], [0.999, 0], [0, 0]], np.float32)
    triangles = np.array([[0, 1, 2], [0, 2, 3], [0, 2, 1], [0, 3, 2]])
    return Solid(corners * np.array([width, height, 1]), triangles, uv)


def arm(start: np.ndarray, size: np.ndarray, direction: np.ndarray, length: float, thicker: float = 1.0) -> Solid:
    """Make a forearm, or a sleeve around it.

    It is a sleeve with ``thicker`` above 1.

    Args:
        start: middle of the first ring, metres.
        size: half the width and half the depth of the first ring, along x and z.
        direction: unit vector towards the elbow.
        length: metres.
        thicker: factor of the girth.
    """
    along = np.array([0, 0.08, 0.25, 0.5, 0.75, 1.0])
    girth = np.array([1.0, 1.02, 1.12, 1.35, 1.55, 1.6]) * thicker
    tube = turned(list(zip(along.tolist(), girth.tolist(), strict=True)), 18, 1.0, (1, 3))
    x = np.cross(direction, [0.0, 0, 1])
    x /= np.linalg.norm(x)
    z = np.cross(x, direction)
    # The arm is rounder than the wrist.
    rounder = np.clip(tube.vertices[:, 1], 0, 1)[:, None]
    wide = size * (1 - rounder) + rounder * size.mean()
    points = start + tube.vertices[:, :1] * wide[:, :1] * x + tube.vertices[:, 2:] * wide[:, 1:] * z
    points = points + tube.vertices[:, 1:2] * length * direction
    return outward(Solid(points, tube.triangles, tube.uv))


def outward(solid: Solid) -> Solid:
    """Turn all triangles outwards if they look inwards."""
    a, b, c = (solid.vertices[solid.triangles[:, corner]] for corner in range(3))
    if float(np.einsum("ij,ij->", a, np.cross(b, c))) >= 0:
        return solid
    return Solid(solid.vertices, solid.triangles[:, ::-1], solid.uv)


def random_solid(rng: np.random.Generator) -> tuple[Solid, float]:
    """Draw a thing that a hand closes around.

    Returns:
        The thing, its axis along y, and its radius where the hand closes, in metres.
    """
    form = rng.random()
    if form < 0.25:  # a handle: knife, spoon, pen, brush
        radius = rng.uniform(0.004, 0.013)
        length = rng.uniform(0.1, 0.3)
        end = rng.uniform(0.5, 3.0) * radius
        low = -rng.uniform(0.03, 0.06)
        profile = [(low, radius), (0.05, radius), (0.06, radius * 0.7), (length - 0.06, end), (length, 0.3 * end)]
        return turned(profile, 12, float(rng.uniform(0.15, 1.0))), float(radius)
    if form < 0.5:  # a bottle, jar or can
        radius = rng.uniform(0.018, 0.045)
        height = rng.uniform(0.06, 0.22)
        low = -rng.uniform(0.3, 0.7) * height
        neck = rng.uniform(0.3, 1.0) * radius
        top = low + height
        profile = [(low, radius), (top - 0.3 * height, radius), (top - 0.15 * height, neck), (top, neck)]
        return turned(profile), float(radius)
    if form < 0.65:  # a cup or bowl
        radius = rng.uniform(0.03, 0.06)
        height = rng.uniform(0.05, 0.12)
        foot = rng.uniform(0.5, 1.0)
        inner = [(height / 2, radius), (height / 2, 0.92 * radius), (-0.3 * height, 0.85 * foot * radius)]
        return turned([(-height / 2, foot * radius), *inner]), float(radius * 0.85)
    if form < 0.8:  # a fruit, ball or potato
        radius = rng.uniform(0.015, 0.05)
        angle = np.linspace(-np.pi / 2 + 0.05, np.pi / 2 - 0.05, 9)
        long = rng.uniform(0.7, 2.0)
        profile = list(zip((radius * long * np.sin(angle)).tolist(), (radius * np.cos(angle)).tolist(), strict=True))
        return turned(profile, 16, float(rng.uniform(0.8, 1.1))), float(radius)
    sides = rng.uniform(0.02, 0.09), rng.uniform(0.04, 0.22), rng.uniform(0.008, 0.06)
    return box(*sides), float(min(sides[0], sides[2]) / 2 + 0.004)
