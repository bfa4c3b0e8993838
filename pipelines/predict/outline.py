"""Draw hand boxes and the crop into a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.predict.lettering import chip, paste
from pipelines.predict.seen import Seen

_HAND, _OBJECT, _CROP, _INK = (80, 220, 100), (250, 190, 60), (255, 255, 255), (16, 18, 22)


def outline(picture: np.ndarray, seen: Seen) -> None:
    """Draw boxes with side and score, and the crop, into a picture.

    Args:
        picture: uint8 [H, W, 3]; changed in place.
        seen: what the model saw.
    """
    height, width = picture.shape[:2]
    thick = max(2, round(min(height, width) / 240))
    if seen.crop is not None:
        _frame(picture, seen.crop, _CROP, max(1, thick // 2))
    size = min(max(min(height, width) / 28, 11), 34)
    for box in seen.boxes:
        colour = _HAND if box.kind == "hand" else _OBJECT
        _frame(picture, (box.x0, box.y0, box.x1, box.y1), colour, thick)
        name = f"{box.side} {box.kind}" if box.side else box.kind
        label = chip(f"{name} {box.score:.2f}", size, _INK, colour)
        top = round(box.y0 * height) - label.shape[0]
        # Where there is no room above the box, the label lies inside it.
        paste(picture, label, round(box.x0 * width), top if top >= 0 else round(box.y0 * height))


def _frame(picture: np.ndarray, corners: tuple[float, float, float, float], colour: Sequence[int], thick: int) -> None:
    height, width = picture.shape[:2]
    left, right = round(corners[0] * width), max(round(corners[2] * width), 1)
    top, bottom = round(corners[1] * height), max(round(corners[3] * height), 1)
    picture[top : top + thick, left:right] = picture[max(bottom - thick, 0) : bottom, left:right] = colour
    picture[top:bottom, left : left + thick] = picture[top:bottom, max(right - thick, 0) : right] = colour
