"""Choose the one hand crop of a frame from its raw boxes.

Sources: X-MIC (Kukleva et al., CVPR 2024) and its official code.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from data_manifests.errors import InputError, UsageError
from pipelines.hands.detector import Box
from pipelines.hands.options import CropFit

PAD_COLOUR = (123, 117, 104)
"""CLIP's mean pixel (0.48145466, 0.4578275, 0.40821073) in 0…255 RGB: about zero after CLIP's normalisation."""

# Boxes are kept in float32: one pixel of a wide frame can come back a little wider than one.
_ONE_PIXEL = 1.001

HAND_THRESHOLD = 0.5
"""Least score of a hand; the official code's value on Ego4D."""

HAND_THRESHOLDS = {"epic-100doh": 0.8, "mediapipe": 0.1}
"""Least score of a hand by the detector's name, where it is another.

0.8 is the official code's value on EPIC-KITCHENS. MediaPipe looks twice: at a palm of 0.1 or more, and then again.
"""

Corners = tuple[float, float, float, float]


@dataclass(frozen=True)
class CropPolicy:
    """Rule that chooses the boxes of a crop, and its geometry.

    Attributes:
        hand_threshold: least score of a hand.
        object_threshold: least score of a touched object (0.01 in the official code).
        margin: added on each side, as a fraction of the union box's longer side. Boxes of hands alone cut
            the held object off; a margin brings it back.
        fit: 'center' keeps the rectangle. The encoder's own resize of the shorter side and its centre crop then cut
            off the ends of a long box, as in the official code. 'pad' makes the rectangle square with
            :data:`PAD_COLOUR`, so that nothing is lost.
    """

    hand_threshold: float = HAND_THRESHOLD
    object_threshold: float = 0.01
    margin: float = 0.0
    fit: CropFit = "center"

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            UsageError: a value is out of range.
        """
        for name in ("hand_threshold", "object_threshold"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"Crop policy: {name} is {getattr(self, name)}; it must lie in [0, 1].")
        if not 0 <= self.margin <= 2:
            raise UsageError(
                f"Crop policy: margin is {self.margin}; it is a fraction of the box's longer side added on each "
                f"side and must lie in [0, 2]."
            )
        if self.fit not in ("center", "pad"):
            raise UsageError(f"Crop policy: fit is '{self.fit}'; it must be 'center' or 'pad'.")

    @property
    def slug(self) -> str:
        """Part of a folder name, such as 'h0.5-o0.01-m0-center'."""
        return f"h{self.hand_threshold:g}-o{self.object_threshold:g}-m{self.margin:g}-{self.fit}"

    @classmethod
    def of_slug(cls, slug: str) -> CropPolicy:
        """Parse a policy from its part of a folder name.

        Raises:
            InputError: the text is not such a part, such as 'h0.5-o0.01-m0-center'.
        """
        found = re.fullmatch(r"h(.+)-o(.+)-m(.+)-(center|pad)", slug)
        try:
            hand, thing, margin, fit = found.groups() if found else ("",) * 4
            return cls(float(hand), float(thing), float(margin), fit)  # type: ignore[arg-type]
        except ValueError:
            raise InputError(f"crop {slug!r}: expected a form such as {cls().slug}.") from None


def has_hand(boxes: Iterable[Box], policy: CropPolicy) -> bool:
    """Check that one of the boxes is a hand that counts.

    Without one :func:`union_box` is None for a frame of any size.
    """
    return any(_counts(box, policy) for box in boxes)


def _counts(box: Box, policy: CropPolicy) -> bool:
    return box.kind == "hand" and box.score >= policy.hand_threshold


def union_box(boxes: Iterable[Box], policy: CropPolicy, width: int, height: int) -> Corners | None:
    """Unite the hands of a frame and the objects they touch.

    A detector may mark an object as touched. Where it marks the hand instead, as 100DOH does, the hand touches the
    object whose centre is nearest to the hand's centre plus its offset. Of equally near objects it is the first (the
    rule of epic-kitchens-100-hand-object-bboxes).

    Args:
        boxes: the frame's raw boxes.
        policy: thresholds. Objects count only with a hand that counts: an object touched by a hand below the
            threshold is not in the official union either.
        width: the frame's width in pixels.
        height: its height in pixels.

    Returns:
        (x0, y0, x1, y1), normalised, without the margin. None when no hand is found or the union is at most 1 pixel
        wide or high: the full frame is used then, and the row records it.
    """
    boxes = list(boxes)
    hands = [box for box in boxes if _counts(box, policy)]
    if not hands:
        return None
    objects = [box for box in boxes if box.kind == "object" and box.score >= policy.object_threshold]
    chosen = hands + [thing for thing in objects if thing.contact]
    unsaid = [thing for thing in objects if thing.contact is None]
    if unsaid:
        chosen += [_touched_by(hand, unsaid) for hand in hands if hand.contact]
    x0, y0 = min(box.x0 for box in chosen), min(box.y0 for box in chosen)
    x1, y1 = max(box.x1 for box in chosen), max(box.y1 for box in chosen)
    if (x1 - x0) * width <= _ONE_PIXEL or (y1 - y0) * height <= _ONE_PIXEL:
        return None
    return x0, y0, x1, y1


def crop(image: np.ndarray, box: Corners | None, policy: CropPolicy) -> np.ndarray:
    """Cut a union box out of its frame.

    Args:
        image: the frame, uint8 [H, W, 3], at any scale.
        box: result of :func:`union_box`; with None the full frame is returned, whatever ``policy.fit`` is.
        policy: margin and fit.

    Returns:
        uint8 [h, w, 3], within the frame; [s, s, 3] with s = max(h, w) when padded. May share the frame's
        memory.
    """
    if box is None:
        return image
    height, width = image.shape[:2]
    x0, y0, x1, y1 = box[0] * width, box[1] * height, box[2] * width, box[3] * height
    margin = policy.margin * max(x1 - x0, y1 - y0)
    left, right = _pixel_range(x0 - margin, x1 + margin, width)
    top, bottom = _pixel_range(y0 - margin, y1 + margin, height)
    cut = image[top:bottom, left:right]
    if policy.fit == "center" or cut.shape[0] == cut.shape[1]:
        return cut
    side = max(cut.shape[:2])
    square = np.empty((side, side, 3), np.uint8)
    square[:] = PAD_COLOUR
    top, left = (side - cut.shape[0]) // 2, (side - cut.shape[1]) // 2
    square[top : top + cut.shape[0], left : left + cut.shape[1]] = cut
    return square


def _touched_by(hand: Box, objects: list[Box]) -> Box:
    x = (hand.x0 + hand.x1) / 2 + (hand.offset_x or 0)
    y = (hand.y0 + hand.y1) / 2 + (hand.offset_y or 0)
    return min(objects, key=lambda thing: math.hypot((thing.x0 + thing.x1) / 2 - x, (thing.y0 + thing.y1) / 2 - y))


def _pixel_range(low: float, high: float, size: int) -> tuple[int, int]:
    # A frame stored smaller than the one the box was found in can make a valid box narrower than a pixel.
    first = min(max(round(low), 0), size - 1)
    return first, min(max(round(high), first + 1), size)
