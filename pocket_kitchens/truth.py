"""Return the true hand boxes of a film as detector boxes.

They are the boxes of a detector that makes no mistake.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.hands.detector import Box
from pocket_kitchens.drawing.spec import HandBox


def boxes_of(hands: Sequence[HandBox]) -> list[Box]:
    """Return the hands of a frame as boxes, then the held things.

    Hands have score 1, their contact, and the offset to the thing they hold.

    Args:
        hands: the hands of a frame.
    """
    found: list[Box] = []
    held: list[Box] = []
    for hand in hands:
        offset = None if hand.held is None else _offset(hand.box, hand.held)
        x, y = offset or (0.0, 0.0)
        side = "left" if hand.side == "left" else "right"
        found.append(Box(*hand.box, 1.0, side, "hand", offset is not None, x, y))  # type: ignore[arg-type]
        if hand.held is not None:
            held.append(Box(*hand.held, 1.0, kind="object"))
    return found + held


def _offset(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> tuple[float, float]:
    """Return the vector from the centre of one box to the other's."""
    return (other[0] + other[2] - one[0] - one[2]) / 2, (other[1] + other[3] - one[1] - one[3]) / 2
