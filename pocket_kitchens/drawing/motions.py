"""Verbs as motions of a held thing and the hands.

Positions are in view units: x from 0 to 1 across the picture, y from 0 to 0.75 down it. A verb's motion does not
depend on the held thing. The verbs of :data:`pocket_kitchens.drawing.domains.REVERSED` have no motion: they are another
clip run backwards. Repeated movements are repeated at most about five times, so that sixteen instants of a clip still
show them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

FAR = 1.35
"""y of an idle hand, in view units: below the picture."""


@dataclass(frozen=True)
class Pose:
    """Positions of the thing and the hands at one instant.

    Attributes:
        x: x of the middle of the thing.
        y: y of the middle of the thing.
        size: size of the thing, as a factor of its own.
        turn: turn of the thing in degrees, counter-clockwise.
        squash: width of the thing as a factor, for what is squeezed.
        hand: anchor of the acting hand; None when it is far outside.
        hand_size: size of the acting hand, as a factor of its own: hands grow towards the camera like what they hold.
        grip: grip of the acting hand, 0 open to 1 fist.
        holds: whether the acting hand is around the thing: its fingers are in front.
        works: whether hands are at the thing without being around it.
        other: anchor of the other hand, None when there is none.
        lid: offset of the lid from its place on the thing, right and down; None where no lid is drawn.
        box: middle of the box that the thing is put into, None where there is none.
        stream: strength of a jet of water from the thing (pour) or onto it (wash), 0 to 1.
    """

    x: float
    y: float
    size: float = 1.0
    turn: float = 0.0
    squash: float = 1.0
    hand: tuple[float, float] | None = None
    hand_size: float = 1.0
    grip: float = 0.5
    holds: bool = False
    works: bool = False
    other: tuple[float, float] | None = None
    lid: tuple[float, float] | None = None
    box: tuple[float, float] | None = None
    stream: float = 0.0


@dataclass(frozen=True)
class Motion:
    """A verb's motion in one clip.

    Attributes:
        at: the pose at each share of the clip, 0 to 1.
        side: 1 when the acting hand comes from the right, -1 from the left.
    """

    at: Callable[[float], Pose]
    side: float


def make_motion(verb: str, generator: np.random.Generator) -> Motion:
    """Draw a random motion of a verb that is not reversed.

    A reversed verb is another verb run backwards. Place, extent, tempo and hand of a motion differ from clip to clip.

    Raises:
        KeyError: no such verb.
    """
    draw = _Draw(generator)
    return Motion(_MOTIONS[verb](draw), draw.side)


class _Draw:
    """Random values that every motion starts from."""

    def __init__(self, generator: np.random.Generator) -> None:
        self.rng = generator
        self.x = generator.uniform(0.36, 0.64)
        self.y = generator.uniform(0.34, 0.46)
        self.lead = generator.uniform(0.0, 0.095)
        """Share of the clip without a hand in it."""
        self.side = 1.0 if generator.random() < 0.75 else -1.0
        self.turns = generator.uniform(2.2, 4.2)
        """Number of repetitions of a repeated movement."""

    def far(self) -> tuple[float, float]:
        """Return a place outside, on the acting hand's side."""
        return self.x + 0.25 * self.side, FAR

    def far_other(self) -> tuple[float, float]:
        """Return a place outside, on the other hand's side."""
        return self.x - 0.25 * self.side, FAR


def _ease(share: float, start: float, stop: float) -> float:
    """Ease from 0 before ``start`` to 1 after ``stop``, smooth between."""
    t = min(max((share - start) / (stop - start), 0.0), 1.0)
    return t * t * (3 - 2 * t)


def _between(a: tuple[float, float], b: tuple[float, float], t: float) -> tuple[float, float]:
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t


def _reaching(draw: _Draw, share: float, there: tuple[float, float], reach: float = 0.14) -> tuple[float, float] | None:
    """Move the acting hand from outside to ``there``.

    The result is None while the hand is outside.
    """
    t = _ease(share, draw.lead, draw.lead + reach)
    return _between(draw.far(), there, t) if t > 0 else None


def _helping(draw: _Draw, share: float, there: tuple[float, float], start: float) -> tuple[float, float] | None:
    """Move the other hand from outside to ``there``.

    The result is None while the hand is outside.
    """
    t = _ease(share, start, start + 0.13)
    return _between(draw.far_other(), there, t) if t > 0 else None


def _pick_up(draw: _Draw) -> Callable[[float], Pose]:
    rise, grow = draw.rng.uniform(0.12, 0.2), draw.rng.uniform(1.2, 1.4)
    taken = draw.lead + 0.25

    def at(share: float) -> Pose:
        lift = _ease(share, taken, taken + 0.4)
        x, y = draw.x, draw.y + rise * lift
        hand = _reaching(draw, share, (draw.x, draw.y)) if share < taken else (x, y)
        grip = 0.15 + 0.5 * _ease(share, taken - 0.1, taken)
        size, turn = 1 + (grow - 1) * lift, 6 * lift * draw.side
        return Pose(x, y, size, turn, hand=hand, hand_size=size, grip=grip, holds=share >= taken)

    return at


def _open(draw: _Draw) -> Callable[[float], Pose]:
    taken = draw.lead + 0.2
    begun = draw.rng.uniform(0.0, 0.08)
    aside, down = draw.rng.uniform(0.16, 0.2), draw.rng.uniform(0.04, 0.09)
    # The lid comes to lie on the acting hand's side, which needs room.
    middle = draw.x - 0.07 * draw.side

    def at(share: float) -> Pose:
        off = _ease(share, taken + begun, taken + begun + 0.4)
        lid = (aside * draw.side * off, down * off - 0.1 * math.sin(math.pi * off))
        place = middle + lid[0], draw.y + lid[1]
        hand = _reaching(draw, share, place) if share < taken else place
        other = _helping(draw, share, (middle - 0.1 * draw.side, draw.y + 0.03), draw.lead + 0.02)
        return Pose(middle, draw.y, hand=hand, grip=0.55, works=share >= taken, other=other, lid=lid)

    return at


def _insert(draw: _Draw) -> Callable[[float], Pose]:
    start = (draw.x + 0.19 * draw.side, draw.y + 0.1)
    box = (draw.x - 0.14 * draw.side, draw.y + 0.03)
    within = (box[0], box[1] - 0.06)
    leaves = 0.87 - draw.rng.uniform(0.0, 0.05)

    def at(share: float) -> Pose:
        moved = _ease(share, draw.lead + 0.15, leaves - 0.06)
        x, y = _between(start, within, moved)
        y -= 0.06 * math.sin(math.pi * moved)
        held = draw.lead + 0.14 <= share <= leaves
        away = _ease(share, leaves, leaves + 0.12)
        hand: tuple[float, float] | None = _between((x, y), draw.far(), away) if share >= leaves else (x, y)
        if share < draw.lead + 0.14:
            hand = _reaching(draw, share, start)
        if away >= 1:
            hand = None
        deep = 0.24 * _ease(moved, 0.45, 1.0)
        return Pose(x, y, 1 - deep, hand=hand, hand_size=1 - deep * (1 - away), grip=0.55, holds=held, box=box)

    return at


def _push(draw: _Draw) -> Callable[[float], Pose]:
    far, shrink = draw.rng.uniform(0.16, 0.22), draw.rng.uniform(0.72, 0.82)
    taken = draw.lead + 0.2

    def at(share: float) -> Pose:
        gone = _ease(share, taken, taken + 0.5)
        size = 1 - (1 - shrink) * gone
        x, y = draw.x, draw.y + 0.08 - far * gone
        near = (x + 0.02 * draw.side, y + 0.09 * size)
        hand = _reaching(draw, share, near) if share < taken else near
        return Pose(x, y, size, hand=hand, hand_size=size, grip=0.3, works=share >= taken)

    return at


def _held(draw: _Draw, share: float, *, x: float = 0.0, y: float = 0.0) -> Pose:
    """Pose the thing in the acting hand.

    The hand comes to the thing after the lead and then moves with it.
    """
    place = draw.x + x, draw.y + y
    taken = draw.lead + 0.14
    hand = _reaching(draw, share, place) if share < taken else place
    return Pose(*place, hand=hand, grip=0.15 + 0.5 * _ease(share, taken - 0.08, taken), holds=share >= taken)


def _active(draw: _Draw, share: float) -> float:
    """Return how far the action has advanced, 0 to 1.

    It is 0 until the hand holds the thing, then grows to the end of the clip.
    """
    start = draw.lead + 0.2
    return max(0.0, (share - start) / (1 - start))


def _stir(draw: _Draw) -> Callable[[float], Pose]:
    radius = draw.rng.uniform(0.06, 0.09)

    def at(share: float) -> Pose:
        t = _active(draw, share)
        angle, out = 2 * math.pi * draw.turns * t * draw.side, radius * min(1.0, 6 * t)
        pose = _held(draw, share, x=out * math.cos(angle), y=0.6 * out * math.sin(angle))
        return replace(pose, turn=12 * math.sin(angle))

    return at


def _cut(draw: _Draw) -> Callable[[float], Pose]:
    high = draw.rng.uniform(0.11, 0.15)

    def at(share: float) -> Pose:
        t = _active(draw, share)
        chop = abs(math.sin(math.pi * draw.turns * t))
        place = draw.x + (0.11 - 0.08 * t) * draw.side, draw.y + 0.03 - high * chop
        hand = _reaching(draw, share, place) if t == 0 else place
        other = _helping(draw, share, (draw.x - 0.11 * draw.side, draw.y + 0.05), draw.lead + 0.02)
        return Pose(draw.x, draw.y, hand=hand, grip=0.85, works=t > 0, other=other)

    return at


def _pour(draw: _Draw) -> Callable[[float], Pose]:
    def at(share: float) -> Pose:
        t = _active(draw, share)
        tilt = _ease(t, 0.15, 0.5)
        pose = _held(draw, share, y=-0.08 * _ease(t, 0.0, 0.3))
        return replace(pose, turn=105 * tilt * draw.side, stream=_ease(tilt, 0.6, 0.9))

    return at


def _wash(draw: _Draw) -> Callable[[float], Pose]:
    def at(share: float) -> Pose:
        t = _active(draw, share)
        rub = math.sin(2 * math.pi * 1.1 * draw.turns * t)
        pose = _held(draw, share, x=0.015 * rub)
        other = _helping(draw, share, (draw.x - 0.095 * draw.side - 0.03 * rub, draw.y + 0.04), draw.lead + 0.06)
        return replace(pose, other=other, stream=_ease(t, 0.05, 0.15), turn=4 * rub)

    return at


def _shake(draw: _Draw) -> Callable[[float], Pose]:
    def at(share: float) -> Pose:
        t = _active(draw, share)
        swing = math.sin(2 * math.pi * 1.3 * draw.turns * t)
        pose = _held(draw, share, y=0.07 * swing * min(1.0, 8 * t))
        return replace(pose, turn=9 * swing)

    return at


def _peel(draw: _Draw) -> Callable[[float], Pose]:
    step = draw.rng.uniform(18, 30) * draw.side

    def at(share: float) -> Pose:
        t = _active(draw, share)
        whole, stroke = divmod(draw.turns * t, 1.0)
        down = _ease(stroke, 0.0, 0.65) - _ease(stroke, 0.7, 1.0)
        place = draw.x + (0.06 + 0.06 * down) * draw.side, draw.y - 0.09 + 0.2 * down
        hand = _reaching(draw, share, place) if t == 0 else place
        other = _helping(draw, share, (draw.x - 0.11 * draw.side, draw.y + 0.06), draw.lead + 0.02)
        # After every stroke the thing is turned a little on.
        turn = step * (whole + _ease(stroke, 0.7, 1.0))
        return Pose(draw.x, draw.y, turn=turn, hand=hand, grip=0.7, works=t > 0, other=other)

    return at


def _turn(draw: _Draw) -> Callable[[float], Pose]:
    angle = draw.rng.uniform(80, 120) * draw.side

    def at(share: float) -> Pose:
        t = _active(draw, share)
        return replace(_held(draw, share), turn=angle * math.sin(math.pi * draw.turns / 2 * t))

    return at


def _wipe(draw: _Draw) -> Callable[[float], Pose]:
    width = draw.rng.uniform(0.14, 0.2)

    def at(share: float) -> Pose:
        t = _active(draw, share)
        sweep = math.sin(2 * math.pi * 0.8 * draw.turns * t) * min(1.0, 6 * t)
        return _held(draw, share, x=width * sweep, y=0.03 * math.cos(3 * sweep))

    return at


def _hold(draw: _Draw) -> Callable[[float], Pose]:
    return lambda share: _held(draw, share, y=-0.03 * _ease(share, draw.lead + 0.14, draw.lead + 0.3))


def _squeeze(draw: _Draw) -> Callable[[float], Pose]:
    def at(share: float) -> Pose:
        t = _active(draw, share)
        press = 0.5 - 0.5 * math.cos(2 * math.pi * draw.turns * t)
        pose = _held(draw, share)
        return replace(pose, squash=1 - 0.3 * press, grip=min(1.0, pose.grip + 0.35 * press))

    return at


_MOTIONS: dict[str, Callable[[_Draw], Callable[[float], Pose]]] = {
    "pick up": _pick_up,
    "open": _open,
    "insert": _insert,
    "push": _push,
    "stir": _stir,
    "cut": _cut,
    "pour": _pour,
    "wash": _wash,
    "shake": _shake,
    "peel": _peel,
    "turn": _turn,
    "wipe": _wipe,
    "hold": _hold,
    "squeeze": _squeeze,
}
