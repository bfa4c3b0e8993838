"""Choose where hands take a thing, and their size.

The choice makes hands hide as much of the thing as real hands do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pocket_kitchens.drawing.layers import Layer

PALMS = (26.0, 46.0)
"""Smallest and largest palm in pixels at magnification 1."""

HIDDEN = (0.38, 0.52)
"""Least and largest share of the thing that hands hide, mean over the clip; each clip draws a value in between."""

_ANYWHERE, _NEARBY = 20, 24
_ENOUGH = 0.02


@dataclass(frozen=True)
class Grip:
    """Palm size and grip points of the hands of a clip.

    Attributes:
        palm: width of the palm in pixels at magnification 1.
        along: the point of the thing that the motion moves, (x, y) in pixels of its picture.
        acting: offset of the acting hand from its place in the motion, view units right and down.
        other: the same offset of the other hand.
    """

    palm: float
    along: tuple[float, float]
    acting: tuple[float, float] = (0.0, 0.0)
    other: tuple[float, float] = (0.0, 0.0)


def points_to_grip(thing: Layer) -> np.ndarray:
    """List the points where a hand can take a thing.

    These are the points of the thing except its two ends.

    Returns:
        (x, y) in pixels of its picture, ``[N, 2]``.
    """
    rows, columns = np.nonzero(thing.opacity[::3, ::3] > 127)
    points = np.stack([columns, rows], axis=1) * 3.0 + 1.0
    _, axes = np.linalg.eigh(np.cov(points.T))
    along = points @ axes[:, 1]
    low, high = np.percentile(along, (12, 88))
    return points[(along >= low) & (along <= high)]


def choose_grip(
    rng: np.random.Generator,
    thing: Layer,
    holds: bool,
    side: float,
    lid_hand: tuple[float, float] | None,
    hidden: Callable[[Grip], float],
) -> Grip:
    """Choose the best of some grips drawn at random.

    The first draws are free, the later ones vary the best grip so far.

    Args:
        rng: random generator of the draws.
        thing: the thing that is acted on.
        holds: whether the acting hand is around the thing, else the hands come to it from the sides.
        side: 1 when the acting hand is the one on the right, -1 on the left.
        lid_hand: :attr:`Grip.acting` of a hand that takes a lid, None when there is no lid.
        hidden: computes the share of the thing that the hands hide with a grip, mean over the clip.
    """
    aim = float(rng.uniform(*HIDDEN))
    height, width = thing.opacity.shape
    points = points_to_grip(thing) if holds else np.array([[width / 2, height / 2]])

    def grip_of(free: np.ndarray) -> Grip:
        palm, taken, acting, other = free.tolist()
        x, y = points[min(int(taken * len(points)), len(points) - 1)].tolist()
        aside = lid_hand or ((0.0, 0.0) if holds else (side * (0.06 - 0.18 * acting), 0.0))
        return Grip(PALMS[0] + (PALMS[1] - PALMS[0]) * palm, (x, y), aside, (side * (0.17 * other - 0.03), 0.0))

    best = rng.random(4)
    least = abs(hidden(grip_of(best)) - aim)
    for number in range(_ANYWHERE + _NEARBY):
        if least < _ENOUGH:
            break
        free = rng.random(4) if number < _ANYWHERE else np.clip(best + rng.uniform(-0.15, 0.15, 4), 0, 1)
        off = abs(hidden(grip_of(free)) - aim)
        if off < least:
            best, least = free, off
    return grip_of(best)
