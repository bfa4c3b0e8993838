"""Keep the pictures that several frames and clips show.

A process draws each of them once, as long as it is among the last ones.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from pocket_kitchens.drawing.domains import Domain
from pocket_kitchens.drawing.hands import HandLook, Side, draw_fingers, draw_hand
from pocket_kitchens.drawing.kitchen import draw_kitchen
from pocket_kitchens.drawing.layers import Layer, prepared
from pocket_kitchens.drawing.objects import draw_object
from pocket_kitchens.drawing.spec import Box

THING = 128
"""Pixels of the side of a thing's picture."""

PALM = 40.0
"""Pixels of a palm's width in the picture of a hand."""

_GRIPS = 8
_DEGREES = 4


@dataclass(frozen=True, eq=False)
class HandLayers:
    """Picture of a hand with its anchor and its box in pixels.

    Attributes:
        whole: the whole hand.
        front: the parts of the hand that are in front of a held thing.
        anchor: (x, y) of the middle of the grip.
        box: box of the hand.
    """

    whole: Layer
    front: Layer
    anchor: tuple[float, float]
    box: Box


@functools.lru_cache(maxsize=4096)
def thing_picture(kind: str, instance: int) -> Layer:
    """Draw an instance of a kind of thing."""
    return prepared(draw_object(kind, instance, THING))


@functools.lru_cache(maxsize=2)
def kitchen_picture(seed: int, domain: Domain) -> np.ndarray:
    """Draw the worktop of a kitchen as :func:`draw_kitchen`, read-only."""
    picture = draw_kitchen(seed, domain)
    picture.flags.writeable = False
    return picture


def hand_picture(side: Side, look: HandLook, grip: float, angle: float) -> HandLayers:
    """Draw a hand with nearly the grip and the angle asked for.

    They are rounded, so that the frames and clips of a person share hands: one takes several milliseconds to draw.

    Args:
        side: side of the hand.
        look: colours and thickness.
        grip: 0 for an open hand to 1 for a fist.
        angle: degrees by which the arm comes from the hand's own side.
    """
    return _hand(side, look, round(grip * _GRIPS), round(angle / _DEGREES))


@functools.lru_cache(maxsize=128)
def _hand(side: Side, look: HandLook, grips: int, angles: int) -> HandLayers:
    turned = float(_DEGREES * (angles if side == "right" else -angles))
    whole, front = (draw(side, look, grips / _GRIPS, 0.4, turned, PALM) for draw in (draw_hand, draw_fingers))
    return HandLayers(prepared(whole.rgba), prepared(front.rgba), whole.anchor, whole.box)
