"""What a clip of Pocket Kitchens is to show, and what is true of a frame."""

from __future__ import annotations

from dataclasses import dataclass

WIDTH, HEIGHT = 256, 192
"""Size of a frame in pixels."""

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in shares of the frame."""


@dataclass(frozen=True)
class ClipSpec:
    """What a clip shows.

    Attributes:
        seed: everything that is drawn at random, but for what the others fix.
        verb: the motion.
        noun: the kind of the thing that is acted on.
        instance: which one of its kind.
        distractors: other things on the worktop, (kind, instance).
        kitchen: the worktop.
        person: the hands.
        frames: how many frames.
    """

    seed: int
    verb: str
    noun: str
    instance: int
    distractors: tuple[tuple[str, int], ...]
    kitchen: int
    person: int
    frames: int


@dataclass(frozen=True)
class HandBox:
    """A visible hand: its side, its box in shares of the frame, and the box of what it holds, if it holds anything."""

    side: str
    box: Box
    held: Box | None
