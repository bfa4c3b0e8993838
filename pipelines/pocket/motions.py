"""Verbs as motions: where a held thing and the hands are at every instant of a clip.

Positions are in view units: x from 0 to 1 across the picture, y from 0 to 0.75 down it. A verb's motion does not know
what is held, and the verbs of :data:`pipelines.pocket.domains.REVERSED` are another motion run backwards.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from pipelines.pocket.domains import REVERSED

FAR_HAND = (0.62, 1.35)
"""Where an idle hand waits, outside the picture."""


@dataclass(frozen=True)
class Pose:
    """One instant.

    Attributes:
        x: middle of the thing.
        y: middle of the thing.
        size: its size as a factor of its own.
        turn: degrees, counter-clockwise.
        squash: its width as a factor, for what is squeezed.
        hand: anchor of the acting hand; None when it is far outside.
        grip: of the acting hand, 0 open to 1 fist.
        holds: whether the acting hand is around the thing: its fingers are in front.
        other: anchor of the other hand, None when there is none.
        lid: how far the lid is lifted off, 0 on to 1 beside; None where no lid is drawn.
        inside: how far the thing is in the box, 0 out to 1 in.
        box: middle of the box it is put into, None where there is none.
        stream: strength of a jet of water from the thing (pour) or onto it (wash), 0 to 1.
    """

    x: float
    y: float
    size: float = 1.0
    turn: float = 0.0
    squash: float = 1.0
    hand: tuple[float, float] | None = None
    grip: float = 0.5
    holds: bool = False
    other: tuple[float, float] | None = None
    lid: float | None = None
    inside: float = 0.0
    box: tuple[float, float] | None = None
    stream: float = 0.0


@dataclass(frozen=True)
class Motion:
    """A verb's motion in one clip: the pose at each share of the clip, 0 to 1."""

    verb: str
    at: Callable[[float], Pose]


def make_motion(verb: str, generator: np.random.Generator) -> Motion:
    """Draw a motion of a verb: its place, extent, tempo and hand differ from clip to clip.

    Raises:
        KeyError: no such verb.
    """
    forward = REVERSED.get(verb, verb)
    at = _MOTIONS[forward](_Draw(generator))
    if forward == verb:
        return Motion(verb, at)
    return Motion(verb, lambda share: at(1.0 - share))


class _Draw:
    """The random values that every motion starts from."""

    def __init__(self, generator: np.random.Generator) -> None:
        self.rng = generator
        self.x = generator.uniform(0.36, 0.64)
        self.y = generator.uniform(0.34, 0.46)
        self.lead = generator.uniform(0.0, 0.11)
        """Share of the clip without a hand in it."""
        self.side = 1.0 if generator.random() < 0.75 else -1.0
        self.turns = generator.uniform(2.2, 4.2)
        """How often what is repeated is repeated."""

    def far(self) -> tuple[float, float]:
        """Outside, on the acting hand's side."""
        return self.x + 0.25 * self.side, FAR_HAND[1]


def _ease(share: float, start: float, stop: float) -> float:
    """0 before ``start``, 1 after ``stop``, smooth between."""
    t = min(max((share - start) / (stop - start), 0.0), 1.0)
    return t * t * (3 - 2 * t)


def _between(a: tuple[float, float], b: tuple[float, float], t: float) -> tuple[float, float]:
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t


def _reaching(draw: _Draw, share: float, there: tuple[float, float], reach: float = 0.14) -> tuple[float, float] | None:
    """The acting hand on its way from outside to ``there``; None while it is outside."""
    t = _ease(share, draw.lead, draw.lead + reach)
    return _between(draw.far(), there, t) if t > 0 else None


def _pick_up(draw: _Draw) -> Callable[[float], Pose]:
    rise, grow = draw.rng.uniform(0.12, 0.2), draw.rng.uniform(1.25, 1.5)
    taken = draw.lead + 0.25

    def at(share: float) -> Pose:
        lift = _ease(share, taken, taken + 0.4)
        x, y = draw.x, draw.y + rise * lift
        hand = _reaching(draw, share, (draw.x, draw.y)) if share < taken else (x, y)
        grip = 0.15 + 0.5 * _ease(share, taken - 0.1, taken)
        return Pose(x, y, 1 + (grow - 1) * lift, 6 * lift * draw.side, hand=hand, grip=grip, holds=share >= taken)

    return at


def _open(draw: _Draw) -> Callable[[float], Pose]:
    taken = draw.lead + 0.22
    begun = draw.rng.uniform(0.0, 0.08)

    def at(share: float) -> Pose:
        lid = _ease(share, taken + begun, taken + begun + 0.35)
        on_lid = (draw.x + 0.2 * draw.side * lid, draw.y - 0.07 - 0.05 * math.sin(math.pi * lid))
        hand = _reaching(draw, share, on_lid) if share < taken else on_lid
        other = (draw.x - 0.1 * draw.side, draw.y + 0.03) if hand is not None else None
        return Pose(draw.x, draw.y, hand=hand, grip=0.55, other=other, lid=lid)

    return at


def _insert(draw: _Draw) -> Callable[[float], Pose]:
    start = (draw.x + 0.2 * draw.side, draw.y + 0.1)
    box = (draw.x - 0.08 * draw.side, draw.y)
    leaves = 0.82 - draw.rng.uniform(0.0, 0.06)

    def at(share: float) -> Pose:
        moved = _ease(share, draw.lead + 0.15, leaves - 0.06)
        x, y = _between(start, box, moved)
        held = draw.lead + 0.14 <= share <= leaves
        away = _ease(share, leaves, leaves + 0.12)
        hand: tuple[float, float] | None = _between((x, y), draw.far(), away) if share >= leaves else (x, y)
        if share < draw.lead + 0.14:
            hand = _reaching(draw, share, start)
        if away >= 1:
            hand = None
        return Pose(x, y, hand=hand, grip=0.55, holds=held, inside=_ease(moved, 0.55, 1.0), box=box)

    return at


def _push(draw: _Draw) -> Callable[[float], Pose]:
    far, shrink = draw.rng.uniform(0.14, 0.2), draw.rng.uniform(0.72, 0.82)
    taken = draw.lead + 0.2

    def at(share: float) -> Pose:
        gone = _ease(share, taken, taken + 0.5)
        x, y = draw.x, draw.y + 0.06 - far * gone
        near = (x + 0.02 * draw.side, y + 0.09)
        hand = _reaching(draw, share, near) if share < taken else near
        return Pose(x, y, 1 - (1 - shrink) * gone, hand=hand, grip=0.3, holds=False)

    return at


def _held(draw: _Draw, share: float, *, x: float = 0.0, y: float = 0.0) -> Pose:
    """The thing in the acting hand from a little after the lead on; the hand comes to it and moves with it."""
    place = draw.x + x, draw.y + y
    taken = draw.lead + 0.14
    hand = _reaching(draw, share, place) if share < taken else place
    return Pose(*place, hand=hand, grip=0.15 + 0.5 * _ease(share, taken - 0.08, taken), holds=share >= taken)


def _active(draw: _Draw, share: float) -> float:
    """How far into its doing the hand is: 0 until it holds the thing, then growing to the end of the clip."""
    start = draw.lead + 0.2
    return max(0.0, (share - start) / (1 - start))


def _stir(draw: _Draw) -> Callable[[float], Pose]:
    radius = draw.rng.uniform(0.05, 0.08)

    def at(share: float) -> Pose:
        t = _active(draw, share)
        angle, out = 2 * math.pi * draw.turns * t * draw.side, radius * min(1.0, 6 * t)
        pose = _held(draw, share, x=out * math.cos(angle), y=0.6 * out * math.sin(angle))
        return replace(pose, turn=12 * math.sin(angle))

    return at


def _cut(draw: _Draw) -> Callable[[float], Pose]:
    def at(share: float) -> Pose:
        t = _active(draw, share)
        chop = abs(math.sin(2 * math.pi * draw.turns * t)) if t > 0 else 0.0
        place = draw.x + (0.1 - 0.12 * t) * draw.side, draw.y - 0.02 - 0.09 * chop
        hand = _reaching(draw, share, place) if t == 0 else place
        other = (draw.x - 0.09 * draw.side, draw.y + 0.05) if hand is not None else None
        return Pose(draw.x, draw.y, hand=hand, grip=0.85, other=other)

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
        rub = math.sin(2 * math.pi * 1.5 * draw.turns * t)
        pose = _held(draw, share, x=0.015 * rub)
        other = (draw.x - 0.07 * draw.side - 0.04 * rub, draw.y + 0.04) if pose.holds else None
        return replace(pose, other=other, stream=_ease(t, 0.05, 0.15), turn=4 * rub)

    return at


def _shake(draw: _Draw) -> Callable[[float], Pose]:
    def at(share: float) -> Pose:
        t = _active(draw, share)
        swing = math.sin(2 * math.pi * 2.4 * draw.turns * t)
        pose = _held(draw, share, y=0.055 * swing * min(1.0, 8 * t))
        return replace(pose, turn=9 * swing)

    return at


def _peel(draw: _Draw) -> Callable[[float], Pose]:
    def at(share: float) -> Pose:
        t = _active(draw, share)
        stroke = (draw.turns * t) % 1.0
        down = _ease(stroke, 0.0, 0.7) - _ease(stroke, 0.75, 1.0)
        place = draw.x + 0.04 * draw.side, draw.y - 0.08 + 0.16 * down
        hand = _reaching(draw, share, place) if t == 0 else place
        other = (draw.x - 0.08 * draw.side, draw.y + 0.06) if hand is not None else None
        return Pose(draw.x, draw.y, turn=10 * draw.side, hand=hand, grip=0.7, other=other)

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
