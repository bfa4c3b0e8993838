"""Canvas that is drawn large and reduced for smooth edges.

Shapes go in, RGBA with straight alpha comes out. Everything is done on bytes by OpenCV inside the rectangle that a
shape covers; that keeps one object at one or two milliseconds.
"""

from __future__ import annotations

import cv2
import numpy as np

from pocket_kitchens.drawing.parts import Part, Shade

SCALE = 2  # drawn this many times larger than asked for; OpenCV averages down fastest by 2
_FRACTION = 4  # bits of a pixel's fraction in OpenCV's coordinates
_FIELD = 48

Box = tuple[int, int, int, int]  # x, y, width, height in pixels of the large picture


def _shade_field(shade: Shade) -> np.ndarray:
    """Compute the light on a unit square.

    It is uint8; 128 is the plain colour.
    """
    y, x = np.mgrid[0:_FIELD, 0:_FIELD] / (_FIELD - 1)
    light = {
        "round": 0.86 - 0.95 * ((x - 0.36) ** 2 + (y - 0.3) ** 2) ** 0.65,
        "across": 0.78 - 2.0 * np.abs(x - 0.34) ** 1.6 - 0.12 * y,
        "down": 0.64 - 0.3 * y,
        "flat": np.full_like(x, 0.5),
    }[shade]
    return (np.clip(light, 0, 1) * 255).astype(np.uint8)


_FIELDS: dict[Shade, np.ndarray] = {
    "round": _shade_field("round"),
    "across": _shade_field("across"),
    "down": _shade_field("down"),
    "flat": _shade_field("flat"),
}

# Towards shadow a colour is multiplied, towards light it is mixed with white.
_LIGHT = np.linspace(-1, 1, 256, dtype=np.float32)[:, None]
_ADDED = 255 * 0.45 * np.maximum(_LIGHT, 0)
_KEPT = 1 + 0.5 * np.minimum(_LIGHT, 0) - 0.45 * np.maximum(_LIGHT, 0)


def _ramp(colour: np.ndarray) -> np.ndarray:
    """Return a colour map from shadow over the colour to light.

    The map is uint8 [256, 1, 3].
    """
    return (colour * _KEPT + _ADDED).astype(np.uint8)[:, None, :]


class Canvas:
    """Square picture while it is drawn, ``size`` · SCALE pixels per side."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.side = size * SCALE
        self._rgb = np.zeros((self.side, self.side, 3), np.uint8)
        self._alpha = np.zeros((self.side, self.side), np.uint8)
        # The last part that was not clipped: its rectangle, its mask inside it, and how light falls on it.
        self._box: Box = (0, 0, 1, 1)
        self._ground = np.zeros((1, 1), np.uint8)
        self._shade: Shade = "flat"

    @property
    def ground_box(self) -> Box:
        """Rectangle of the last part that was not clipped.

        It is x, y, width and height in pixels of the large picture.
        """
        return self._box

    def paint(self, part: Part, outline: np.ndarray, width: float, colour: np.ndarray) -> None:
        """Draw a part on the canvas.

        Args:
            part: its shade, opacity and clipping are used.
            outline: float32 [n, 2] in pixels of the large picture.
            width: width of the stroke in pixels; 0 fills the outline.
            colour: float32 RGB.
        """
        thick = max(1, round(width)) if width else 0
        reach = thick / 2 + 1
        left, top = np.maximum(outline.min(axis=0) - reach, 0).astype(int)
        right, bottom = np.minimum(np.ceil(outline.max(axis=0) + reach).astype(int) + 1, self.side)
        box = (int(left), int(top), int(right - left), int(bottom - top))
        if part.clip:
            box = _common(box, self._box)
        if box[2] <= 0 or box[3] <= 0:
            return
        corners = [_fixed(outline, box)]
        mask = np.zeros((box[3], box[2]), np.uint8)
        if thick:
            cv2.polylines(mask, corners, part.closed, 255, thick, cv2.LINE_8, _FRACTION)
        else:
            cv2.fillPoly(mask, corners, 255, cv2.LINE_8, _FRACTION)
        if part.clip:
            x, y = box[0] - self._box[0], box[1] - self._box[1]
            mask &= self._ground[y : y + box[3], x : x + box[2]]
            self._lay(mask, box, part.shade, colour, part.opacity)
            return
        self._ground, self._box, self._shade = mask, box, part.shade
        self._lay(mask, box, part.shade, colour, part.opacity)
        # A thin darker contour keeps parts of one colour apart.
        edge = max(1, round(self.side * 0.009))
        if not thick:
            line = np.zeros_like(mask)
            cv2.polylines(line, corners, True, 255, 2 * edge, cv2.LINE_8, _FRACTION)
            self._lay(line & mask, box, "flat", colour * 0.62, part.opacity)
        elif thick > 4 * edge:
            inner = np.zeros_like(mask)
            cv2.polylines(inner, corners, part.closed, 255, thick - 2 * edge, cv2.LINE_8, _FRACTION)
            self._lay(mask & ~inner, box, "flat", colour * 0.62, part.opacity)

    def decorate(self, shapes: list[np.ndarray], colour: np.ndarray) -> None:
        """Fill outlines on the last part, in its light.

        Args:
            shapes: outlines, float32 [n, 2] in pixels of the large picture.
            colour: float32 RGB.
        """
        mask = np.zeros_like(self._ground)
        for outline in shapes:
            cv2.fillPoly(mask, [_fixed(outline, self._box)], 255, cv2.LINE_8, _FRACTION)
        self._lay(mask & self._ground, self._box, self._shade, colour, 1.0)

    def reduced(self) -> np.ndarray:
        """Return the picture at its final size.

        It is uint8 [size, size, 4] with straight alpha.
        """
        cover = np.where(self._alpha > 0, np.uint8(255), np.uint8(0))
        small = (self.size, self.size)
        rgb: np.ndarray = cv2.resize(self._rgb, small, interpolation=cv2.INTER_AREA).astype(np.float32)
        share = cv2.resize(cover, small, interpolation=cv2.INTER_AREA).astype(np.float32)
        alpha = cv2.resize(self._alpha, small, interpolation=cv2.INTER_AREA)
        # Edge pixels are averages with the empty black around; dividing by the covered share takes it out again.
        rgb = np.minimum(rgb * (255 / np.maximum(share, 1))[..., None], 255)
        return np.dstack([rgb.astype(np.uint8), alpha])

    def _lay(self, mask: np.ndarray, box: Box, shade: Shade, colour: np.ndarray, opacity: float) -> None:
        x, y, w, h = box
        rgb, alpha = self._rgb[y : y + h, x : x + w], self._alpha[y : y + h, x : x + w]
        if shade == "flat":
            lit: np.ndarray = np.empty((h, w, 3), np.uint8)
            cv2.rectangle(lit, (0, 0), (w, h), colour.astype(int).tolist(), cv2.FILLED)
        else:
            light = cv2.resize(_FIELDS[shade], (w, h), interpolation=cv2.INTER_LINEAR)
            lit = cv2.applyColorMap(light, _ramp(colour))
        if opacity < 1:
            mixed = cv2.addWeighted(lit, opacity, rgb, 1 - opacity, 0)
            cv2.copyTo(mixed, alpha, lit)
        cv2.copyTo(lit, mask, rgb)
        np.maximum(alpha, mask & np.uint8(255 * opacity), out=alpha)


def _common(one: Box, other: Box) -> Box:
    """Return the rectangle that two rectangles share.

    Its width or height is not positive when they share none.
    """
    x, y = max(one[0], other[0]), max(one[1], other[1])
    return x, y, min(one[0] + one[2], other[0] + other[2]) - x, min(one[1] + one[3], other[1] + other[3]) - y


def _fixed(outline: np.ndarray, box: Box) -> np.ndarray:
    """Convert an outline to OpenCV's fixed-point coordinates.

    The coordinates are relative to the rectangle's corner.
    """
    return np.rint((outline - np.array(box[:2], np.float32)) * (1 << _FRACTION)).astype(np.int32)
