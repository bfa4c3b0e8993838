"""Where hands take a thing, and how large they are: chosen so that they hide as much of it as hands do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pocket_kitchens.drawing.layers import Layer

PALMS = (26.0, 46.0)
"""Smallest and largest palm in pixels at magnification 1."""

HIDDEN = (0.38, 0.52)
"""Share of the thing that hands are to hide, mean over the clip; every clip aims at another value in between."""

_ANYWHERE, _NEARBY = 20, 24
_ENOUGH = 0.02


@dataclass(frozen=True)
class Grip:
    """How the hands of a clip take the thing.

    Attributes:
        palm: width of the palm in pixels at magnification 1.
        along: the point of the thing that the motion moves, (x, y) in pixels of its picture.
        acting: by how much the acting hand is off where the motion has it, view units right and down.
        other: the same of the other hand.
    """

    palm: float
    along: tuple[float, float]
    acting: tuple[float, float] = (0.0, 0.0)
    other: tuple[float, float] = (0.0, 0.0)


def points_to_grip(thing: Layer) -> np.ndarray:
    """Points of a thing where a hand can take it, all but its two ends: (x, y) in pixels of its picture, ``[N, 2]``."""
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
    """The best of some grips drawn at random, first any, then like the best so far.

    Args:
        rng: draws them.
        thing: what is acted on.
        holds: whether the acting hand is around it, else the hands come to it from the sides.
        side: 1 when the acting hand is the one on the right, -1 on the left.
        lid_hand: :attr:`Grip.acting` of a hand that takes a lid, None when there is none.
        hidden: the share of the thing that the hands hide with a grip, mean over the clip.
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
