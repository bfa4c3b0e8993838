"""Rasterise triangles before a camera with one depth buffer.

Triangles are in metres; the result is what is seen at each pixel. Each surface is drawn at once, without a loop over
its triangles: all pixels of all bounding boxes are tested, and those inside a triangle are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

NEAR = 0.05
"""Least depth of triangles in metres; nearer ones are left out."""


@dataclass(frozen=True, eq=False)
class Surface:
    """Triangles of one material, in camera axes and metres.

    The axes are x right, y down, z forward.

    Attributes:
        vertices: float ``[V, 3]``.
        triangles: int ``[T, 3]``, counter-clockwise seen from outside; seen from inside they are not drawn.
        colour: float32 ``[V, 3]`` or ``[3]``, the albedo, 0 to 1.
        uv: float32 ``[V, 2]`` or None.
        texture: float32 ``[h, w, 3]`` that multiplies the colour, repeated; with a fourth channel it is cut out
            where that is below one half. None leaves the colour.
        gloss: strength of the highlight, 0 to 1.
        label: number of the hand it belongs to, from 1; 0 is none.
        counted: bool ``[T]``, which triangles carry the label; None is all.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    colour: np.ndarray
    uv: np.ndarray | None = None
    texture: np.ndarray | None = None
    gloss: float = 0.1
    label: int = 0
    counted: np.ndarray | None = None


@dataclass(frozen=True)
class View:
    """Pinhole camera whose axis goes through the picture's middle.

    Attributes:
        focal: focal length in pixels.
        width: width of the picture in pixels.
        height: height of the picture in pixels.
    """

    focal: float
    width: int
    height: int

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project points in metres ``[N, 3]`` to pixels ``[N, 2]``."""
        flat: np.ndarray = self.focal * points[:, :2] / np.maximum(points[:, 2:], 1e-6)
        return flat + np.array([self.width / 2, self.height / 2])


@dataclass(eq=False)
class Buffers:
    """Visible surface at each pixel, flattened row by row.

    P is width · height.

    Attributes:
        nearness: float32 ``[P]``, 1 / depth in 1/m; 0 where nothing is.
        normal: float32 ``[P, 3]``, not of unit length.
        albedo: float32 ``[P, 3]``.
        gloss: float32 ``[P]``.
        label: uint8 ``[P]``.
        areas: projected pixels of each label's triangles that face the camera, hidden and out of view ones too.
    """

    nearness: np.ndarray
    normal: np.ndarray
    albedo: np.ndarray
    gloss: np.ndarray
    label: np.ndarray
    areas: dict[int, float] = field(default_factory=dict)


def rasterise(surfaces: list[Surface], view: View) -> Buffers:
    """Draw surfaces with a depth buffer.

    The nearest surface wins at each pixel.
    """
    count = view.width * view.height
    buffers = Buffers(
        np.zeros(count, np.float32),
        np.zeros((count, 3), np.float32),
        np.zeros((count, 3), np.float32),
        np.zeros(count, np.float32),
        np.zeros(count, np.uint8),
    )
    for surface in surfaces:
        _draw(surface, view, buffers)
    return buffers


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Compute outward vertex normals ``[V, 3]``, not of unit length.

    They are weighted by the area of the triangles around the vertex.
    """
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    faces = np.cross(b - a, c - a)
    corners, repeated = triangles.ravel(), np.repeat(faces, 3, axis=0)
    return np.stack([np.bincount(corners, repeated[:, axis], len(vertices)) for axis in range(3)], axis=1)


def _draw(surface: Surface, view: View, buffers: Buffers) -> None:
    flat = view.project(surface.vertices)
    depth = surface.vertices[:, 2]
    triangles = surface.triangles
    a, b, c = (flat[triangles[:, corner]] for corner in range(3))
    # Twice the area on the picture, whose y goes down: negative from outside.
    doubled = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    front = (doubled < -1e-9) & (depth[triangles].min(axis=1) > NEAR)
    if surface.label:
        counted = front if surface.counted is None else front & surface.counted
        buffers.areas[surface.label] = buffers.areas.get(surface.label, 0.0) - float(doubled[counted].sum()) / 2
    low = np.minimum(np.minimum(a, b), c)
    high = np.maximum(np.maximum(a, b), c)
    left, top = np.maximum(np.ceil(low - 0.5), 0).T
    right, bottom = np.minimum(np.floor(high - 0.5), (view.width - 1, view.height - 1)).T
    chosen = np.flatnonzero(front & (left <= right) & (top <= bottom))
    if not len(chosen):
        return
    a, b, c, doubled = a[chosen], b[chosen], c[chosen], doubled[chosen]
    left, top = left[chosen].astype(np.int64), top[chosen].astype(np.int64)
    columns = right[chosen].astype(np.int64) - left + 1
    counts = columns * (bottom[chosen].astype(np.int64) - top + 1)
    own = np.repeat(np.arange(len(chosen)), counts)
    place = np.arange(len(own)) - np.repeat(np.cumsum(counts) - counts, counts)
    down = place // columns[own]
    x, y = place - down * columns[own] + left[own], down + top[own]
    # The share of each corner is linear on the picture: gradients and the value at pixel (0, 0).
    first = _plane(b, c, doubled)[:, own]
    second = _plane(c, a, doubled)[:, own]
    at = np.stack([x, y]).astype(np.float32)
    one = first[0] * at[0] + first[1] * at[1] + first[2]
    two = second[0] * at[0] + second[1] * at[1] + second[2]
    inside = np.flatnonzero((one >= 0) & (two >= 0) & (one + two <= 1))
    own, pixels = own[inside], (y * view.width + x)[inside]
    shares = np.stack([one[inside], two[inside], 1 - one[inside] - two[inside]], axis=1)
    corners = triangles[chosen[own]]
    nearness = (shares * (1 / depth).astype(np.float32)[corners]).sum(axis=1)
    wanted = nearness > buffers.nearness[pixels]
    tint = None
    if surface.texture is not None and surface.uv is not None:
        tint = _sampled(surface.texture, _mixed(surface.uv, corners, shares))
        if tint.shape[1] == 4:
            wanted &= tint[:, 3] >= 0.5
    wanted = np.flatnonzero(wanted)
    np.maximum.at(buffers.nearness, pixels[wanted], nearness[wanted])
    wanted = wanted[nearness[wanted] == buffers.nearness[pixels[wanted]]]
    own, pixels, corners, shares = own[wanted], pixels[wanted], corners[wanted], shares[wanted]
    normals = vertex_normals(surface.vertices, triangles)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
    buffers.normal[pixels] = _mixed(normals.astype(np.float32), corners, shares)
    colour = surface.colour if surface.colour.ndim == 1 else _mixed(surface.colour, corners, shares)
    buffers.albedo[pixels] = colour if tint is None else colour * tint[wanted, :3]
    buffers.gloss[pixels] = surface.gloss
    label = np.full(len(chosen), surface.label, np.uint8)
    if surface.counted is not None:
        label[~surface.counted[chosen]] = 0
    buffers.label[pixels] = label[own]


def _plane(b: np.ndarray, c: np.ndarray, doubled: np.ndarray) -> np.ndarray:
    """Compute a corner's share as a plane over the picture.

    The corner is the one opposite to the edge b–c. The result holds the x and y gradients of its share, and the share
    in
    pixel (0, 0).
    """
    gx = (b[:, 1] - c[:, 1]) / doubled
    gy = (c[:, 0] - b[:, 0]) / doubled
    start = (b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0]) / doubled + 0.5 * (gx + gy)
    return np.stack([gx, gy, start]).astype(np.float32)


def _mixed(values: np.ndarray, corners: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Mix values ``[V, K]`` of three corners by their shares: ``[N, K]``."""
    mixed: np.ndarray = values[corners[:, 0]] * shares[:, :1]
    mixed += values[corners[:, 1]] * shares[:, 1:2]
    mixed += values[corners[:, 2]] * shares[:, 2:]
    return mixed


def _sampled(texture: np.ndarray, uv: np.ndarray) -> np.ndarray:
    height, width = texture.shape[:2]
    x = np.floor(uv[:, 0] * width).astype(np.int64) % width
    y = np.floor(uv[:, 1] * height).astype(np.int64) % height
    return texture[y, x]
