"""Parts of a kind of object, and the shapes of parts.

A part has an outline, a colour role and a shade. A kind is drawn from its parts in order, the first at the back.
Coordinates are free units, x to the right and y down. A kind is scaled as a whole when it is drawn, so that only
proportions matter.

A role is a colour of the kind's palette (``body``, ``accent``, ``third``) or a colour name; a trailing ``-`` or ``+``
means darker or lighter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Shade = Literal["round", "across", "down", "flat"]
Motif = Literal["plain", "bands", "stripes", "dots", "check", "label", "grain", "speckle"]


@dataclass(frozen=True, eq=False)
class Part:
    """Shape of a kind, with its colour and shade.

    Attributes:
        role: colour role or colour name.
        outline: float32 [n, 2], x and y in the units of the kind.
        width: width of a stroke along the outline, in units; 0 for a filled shape.
        closed: whether a stroke ends where it began.
        shade: light as on a ball, a standing cylinder, from above, or even.
        clip: whether the part only shows on the last part that was not clipped itself.
        opacity: below 1 what lies behind shines through.
        chance: the share of instances that have the part.
    """

    role: str
    outline: np.ndarray
    width: float = 0.0
    closed: bool = True
    shade: Shade = "down"
    clip: bool = False
    opacity: float = 1.0
    chance: float = 1.0


@dataclass(frozen=True)
class Pattern:
    """Decoration of the last part that was not clipped.

    Each instance has one of the motifs.
    """

    role: str
    motifs: tuple[Motif, ...]


@dataclass(frozen=True, eq=False)
class Kind:
    """Kind of object with its size, colours and parts.

    Attributes:
        name: a plain English noun.
        size: typical longer side, in dinner plates.
        palettes: 'body/accent/third' colour names; each instance has one of them.
        parts: the parts, back to front.
        opens: whether the kind has a lid or a door.
        stretch: variation of the proportions of instances; 0.2 is ±20 %.
        bend: largest curvature of an instance, as a share of half its height, for what grows or lies limp.
        mirrored: whether an instance may be its mirror image.
    """

    name: str
    size: float
    palettes: tuple[str, ...]
    parts: tuple[Part | Pattern, ...]
    opens: bool = False
    stretch: float = 0.18
    bend: float = 0.0
    mirrored: bool = True


def _on_circle(angle: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


_CIRCLE = _on_circle(np.linspace(0, 2 * np.pi, 40, endpoint=False))
_ARCS = np.stack([_on_circle(np.linspace(0, np.pi / 2, 5) + quarter * np.pi / 2) for quarter in range(4)])
_CORNERS = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])


def smooth(corners: np.ndarray, closed: bool, steps: int = 6) -> np.ndarray:
    """Compute a Catmull-Rom curve through the corners.

    Args:
        corners: float32 [n, 2].
        closed: whether the curve ends where it began.
        steps: points per corner.

    Returns:
        float32 [about steps · n, 2].
    """
    if closed:
        ring = np.concatenate([corners[-1:], corners, corners[:2]])
    else:
        ring = np.concatenate([corners[:1], corners, corners[-1:]])
    before, start, end, after = ring[:-3], ring[1:-2], ring[2:-1], ring[3:]
    t = (np.arange(steps, dtype=np.float32) / steps)[None, :, None]
    a, b, c, d = (p[:, None, :] for p in (before, start, end, after))
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    curve = curve.reshape(-1, 2)
    return (curve if closed else np.concatenate([curve, corners[-1:]])).astype(np.float32)


def oval(role: str, x: float, y: float, w: float, h: float, **style: Any) -> Part:
    """Make an ellipse around (x, y)."""
    outline = np.array([x, y]) + np.array([w / 2, h / 2]) * _CIRCLE
    return Part(role, outline.astype(np.float32), **({"shade": "round"} | style))


def block(role: str, x: float, y: float, w: float, h: float, r: float = 3, **style: Any) -> Part:
    """Make a rectangle around (x, y) with corners rounded by r."""
    centres = np.array([x, y]) + _CORNERS * np.array([w / 2 - r, h / 2 - r])
    outline = centres[:, None] + r * _ARCS
    return Part(role, outline.reshape(-1, 2).astype(np.float32), **style)


def blob(role: str, points: np.ndarray, **style: Any) -> Part:
    """Make a filled shape with a smooth outline through the points."""
    return Part(role, smooth(points, closed=True), **({"shade": "round"} | style))


def turned(role: str, points: np.ndarray, soft: bool = False, **style: Any) -> Part:
    """Make a shape as from a lathe, symmetrical about x = 0.

    The points are (y, half-width) from top to bottom.
    """
    right = points[:, ::-1]
    outline = np.concatenate([right, right[::-1] * np.array([-1, 1], dtype=np.float32)])
    return Part(role, smooth(outline, closed=True) if soft else outline, **({"shade": "across"} | style))


def rod(role: str, points: np.ndarray, width: float, **style: Any) -> Part:
    """Make a line with straight pieces and round ends."""
    return Part(role, points, width=width, closed=False, **style)


def curve(role: str, points: np.ndarray, width: float, **style: Any) -> Part:
    """Make a smooth line with round ends."""
    return rod(role, smooth(points, closed=False), width, **style)


def shine(x: float, y: float, w: float, h: float) -> Part:
    """Make the reflection of a window on the last part."""
    return oval("white", x, y, w, h, shade="flat", clip=True, opacity=0.45)
