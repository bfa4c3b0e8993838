"""Specification of a clip of Pocket Kitchens, and true hand boxes."""

from __future__ import annotations

from dataclasses import dataclass

WIDTH, HEIGHT = 256, 192
"""Size of a frame in pixels."""

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in shares of the frame."""


@dataclass(frozen=True)
class ClipSpec:
    """Contents of a clip.

    Attributes:
        seed: seed of everything that is drawn at random and that the other attributes do not fix.
        verb: the motion.
        noun: kind of the thing that is acted on.
        instance: number of the instance of that kind.
        distractors: other things on the worktop, (kind, instance).
        kitchen: seed of the worktop.
        person: seed of the hands.
        frames: number of frames.
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
    """Side and box of a visible hand, and what it holds.

    Attributes:
        side: 'left' or 'right'.
        box: box of the hand, in shares of the frame.
        held: box of the held thing, in shares of the frame; None when the hand holds nothing.
    """

    side: str
    box: Box
    held: Box | None
