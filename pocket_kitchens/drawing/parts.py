"""The language in which the kinds of objects are described: parts with an outline, a colour role and a shade.

A kind is drawn from its parts in order, the first at the back. Coordinates are free units, x to the right and
y down; a kind is scaled as a whole when it is drawn, so that only proportions matter. By habit a kind is about
100 units long and upright, with x = 0 in its middle.

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
    """One shape of a kind.

    Attributes:
        role: its colour.
        outline: float32 [n, 2], x and y in the units of the kind.
        width: of a stroke along the outline, in units; 0 for a filled shape.
        closed: whether a stroke ends where it began.
        shade: how light falls on it: on a ball, a standing cylinder, from above, or evenly.
        clip: it only shows on the last part that was not clipped itself.
        opacity: below 1 what lies behind shines through.
        chance: the share of instances that have it.
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
    """A decoration of the last part that was not clipped; each instance has one of the motifs."""

    role: str
    motifs: tuple[Motif, ...]


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of object.

    Attributes:
        name: a plain English noun.
        size: typical longer side, in dinner plates.
        palettes: 'body/accent/third' colour names; each instance has one of them.
        parts: back to front.
        opens: it has a lid or a door.
        stretch: how far the proportions of instances differ; 0.2 is ±20 %.
        bend: how far an instance may be curved, as a share of half its height, for what grows or lies limp.
        mirrored: an instance may be its mirror image.
    """

    name: str
    size: float
    palettes: tuple[str, ...]
    parts: tuple[Part | Pattern, ...]
    opens: bool = False
    stretch: float = 0.18
    bend: float = 0.0
    mirrored: bool = True


def kind(name: str, size: float, palettes: str, *parts: Part | Pattern, **rest: Any) -> Kind:
    """A kind; ``palettes`` are written with spaces between them."""
    return Kind(name, size, tuple(palettes.split()), parts, **rest)


def points(text: str) -> np.ndarray:
    """'x,y x,y …' as float32 [n, 2]."""
    return np.array([pair.split(",") for pair in text.split()], dtype=np.float32)


def smooth(corners: np.ndarray, closed: bool, steps: int = 6) -> np.ndarray:
    """A Catmull-Rom curve through the corners: float32 [n, 2] → [about steps · n, 2]."""
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
    """An ellipse around (x, y)."""
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    outline = np.stack([x + w / 2 * np.cos(angle), y + h / 2 * np.sin(angle)], axis=1).astype(np.float32)
    return Part(role, outline, **({"shade": "round"} | style))


def ovals(role: str, centres: str, w: float, h: float, **style: Any) -> tuple[Part, ...]:
    """Equal ellipses around several centres."""
    return tuple(oval(role, float(x), float(y), w, h, **style) for x, y in points(centres))


def ring(role: str, x: float, y: float, w: float, h: float, width: float, **style: Any) -> Part:
    """The line of an ellipse around (x, y)."""
    return oval(role, x, y, w, h, width=width, **style)


def block(role: str, x: float, y: float, w: float, h: float, r: float = 3, **style: Any) -> Part:
    """A rectangle around (x, y) with corners rounded by r."""
    turn = np.linspace(0, np.pi / 2, 5)
    corners = []
    for quarter, (sx, sy) in enumerate([(1, 1), (-1, 1), (-1, -1), (1, -1)]):
        angle = turn + quarter * np.pi / 2
        centre = np.array([x + sx * (w / 2 - r), y + sy * (h / 2 - r)])
        corners.append(centre + r * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    return Part(role, np.concatenate(corners).astype(np.float32), **style)


def poly(role: str, text: str, **style: Any) -> Part:
    """A filled shape with straight sides."""
    return Part(role, points(text), **style)


def blob(role: str, text: str, **style: Any) -> Part:
    """A filled shape with a smooth outline through the points."""
    return Part(role, smooth(points(text), closed=True), **({"shade": "round"} | style))


def turned(role: str, text: str, soft: bool = False, **style: Any) -> Part:
    """A shape as from a lathe, symmetrical about x = 0: 'y,half-width …' from top to bottom."""
    right = points(text)[:, ::-1]
    outline = np.concatenate([right, right[::-1] * np.array([-1, 1], dtype=np.float32)])
    return Part(role, smooth(outline, closed=True) if soft else outline, **({"shade": "across"} | style))


def rod(role: str, text: str, width: float, **style: Any) -> Part:
    """A line with straight pieces and round ends."""
    return Part(role, points(text), width=width, closed=False, **style)


def rods(role: str, text: str, width: float, **style: Any) -> tuple[Part, ...]:
    """Several lines, ';' between them."""
    return tuple(rod(role, line, width, **style) for line in text.split(";"))


def curve(role: str, text: str, width: float, **style: Any) -> Part:
    """A smooth line with round ends."""
    return Part(role, smooth(points(text), closed=False), width=width, closed=False, **style)


def shine(x: float, y: float, w: float, h: float) -> Part:
    """The reflection of a window on the last part."""
    return oval("white", x, y, w, h, shade="flat", clip=True, opacity=0.45)


def pattern(role: str, *motifs: Motif) -> Pattern:
    """A decoration of the last part."""
    return Pattern(role, motifs)
