"""Draw hands with sleeves as a head camera sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from pocket_kitchens.drawing.hand_pose import Part, Pose, pose_right_hand

Side = Literal["left", "right"]
Colour = tuple[int, int, int]

_OVER = 2
"""Pictures are drawn this many times larger and averaged down, so that edges are smooth; OpenCV is fastest at 2."""
_SHIFT = 4
"""Binary digits after the point in the coordinates OpenCV draws with."""
_CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 16, False)), np.sin(np.linspace(0, 2 * np.pi, 16, False))], axis=1)
# From very dark to light; a tone is taken evenly by luminance, so every range of skin is equally common.
_SKINS = np.array(
    [(50, 33, 27), (88, 57, 42), (134, 90, 64), (182, 131, 98), (222, 176, 146), (246, 224, 209)], dtype=float
)
_LUMINANCE = np.array([0.299, 0.587, 0.114])
_RIDGE = 0.07
"""Share by which the lit ridge is lighter than the skin."""
_ARM_RADII = (0.31, 0.47)
_SLEEVE_RADII = (0.40, 0.60)


@dataclass(frozen=True)
class HandLook:
    """Colours and thickness of one person's hands; RGB, 0–255.

    Attributes:
        skin: skin tone.
        sleeve: colour of the sleeve; None for a bare forearm.
        glove: colour of the glove; None for a bare hand.
        slim: thickness of the fingers, 0.85–1.15.
        seed: chooses ring, watch and nail varnish.
    """

    skin: Colour
    sleeve: Colour | None
    glove: Colour | None
    slim: float
    seed: int = 0


@dataclass(frozen=True)
class HandPicture:
    """Picture of a hand on a transparent background.

    Attributes:
        rgba: uint8 [H, W, 4], straight (not premultiplied) alpha.
        anchor: (x, y) in pixels: the middle of the grip, where a held thing is.
        box: (x0, y0, x1, y1) in pixels round the hand without forearm and sleeve, as a hand detector draws it.
    """

    rgba: np.ndarray
    anchor: tuple[float, float]
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class _Details:
    ring: Colour | None
    watch: Colour | None
    nail: Colour | None


def _colour(values: np.ndarray) -> Colour:
    red, green, blue = np.clip(np.round(values), 0, 255).astype(int)
    return int(red), int(green), int(blue)


def _any_colour(rng: np.random.Generator) -> Colour:
    hsv = np.array([[[rng.integers(180), rng.integers(40, 220), rng.integers(50, 240)]]], dtype=np.uint8)
    return _colour(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0])


def hand_look(seed: int) -> HandLook:
    """Choose the look of one person's hands.

    The skin is drawn evenly from very dark to light; 75 % have sleeves and 5 % gloves.
    """
    rng = np.random.default_rng(seed)
    known = _SKINS @ _LUMINANCE
    target = rng.uniform(known[0], known[-1])
    skin = np.array([np.interp(target, known, _SKINS[:, channel]) for channel in range(3)])
    # A little redder or yellower, at the same brightness.
    skin = skin + rng.uniform(-6, 6) * np.array([0.587, -0.299, 0.0])
    sleeve = _any_colour(rng) if rng.random() < 0.75 else None
    glove = _any_colour(rng) if rng.random() < 0.05 else None
    return HandLook(_colour(skin), sleeve, glove, float(rng.uniform(0.85, 1.15)), seed)


def _details(look: HandLook) -> _Details:
    rng = np.random.default_rng([look.seed, 1])
    ring = ((214, 178, 84), (196, 200, 206))[rng.integers(2)] if rng.random() < 0.25 else None
    watch = ((38, 38, 42), (120, 78, 48), (176, 180, 186))[rng.integers(3)] if rng.random() < 0.2 else None
    nail = ((178, 34, 60), (92, 44, 110), (226, 120, 150))[rng.integers(3)] if rng.random() < 0.15 else None
    return _Details(ring, watch, nail)


def _darker(colour: Colour, share: float) -> Colour:
    red, green, blue = colour
    return round(red * share), round(green * share), round(blue * share)


def _lighter(colour: Colour, share: float) -> Colour:
    red, green, blue = colour
    return round(red + (255 - red) * share), round(green + (255 - green) * share), round(blue + (255 - blue) * share)


def _hull(centres: np.ndarray, radii: np.ndarray) -> np.ndarray:
    points = (centres[:, None, :] + radii[:, None, None] * _CIRCLE).reshape(-1, 1, 2)
    return cv2.convexHull(points.astype(np.float32))


class _Canvas:
    """Large picture [H, W, 4] that is averaged down at the end.

    Its coordinates are palm widths.
    """

    def __init__(self, low: np.ndarray, high: np.ndarray, scale: float) -> None:
        self.scale = scale
        self.origin = np.floor(low * scale) - 1
        width, height = (np.ceil(high * scale) + 1 - self.origin).astype(int)
        # OpenCV counts from the middle of a pixel, the picture from its corner.
        self._gain = scale * _OVER * 2**_SHIFT
        self._offset = (self.origin * _OVER + 0.5) * 2**_SHIFT
        self.pixels = np.zeros((height * _OVER, width * _OVER, 4), dtype=np.uint8)

    def place(self, point: np.ndarray) -> np.ndarray:
        """Convert palm widths to pixels of the finished picture."""
        return point * self.scale - self.origin

    def _fixed(self, points: np.ndarray) -> np.ndarray:
        return np.rint(points * self._gain - self._offset).astype(np.int32)

    def fill(self, outline: np.ndarray, colour: Colour) -> None:
        cv2.fillConvexPoly(self.pixels, self._fixed(outline), (*colour, 255), cv2.LINE_8, _SHIFT)

    def line(self, points: np.ndarray, colour: Colour, width: float) -> None:
        thickness = max(1, round(width * self.scale * _OVER))
        cv2.polylines(self.pixels, [self._fixed(points)], False, (*colour, 255), thickness, cv2.LINE_8, _SHIFT)

    def shadow(self, outline: np.ndarray, strength: float, reach: float) -> None:
        """Darken softly what is already drawn about an outline.

        The shadow reaches `reach` palm widths.
        """
        blur = reach * self.scale * _OVER
        pad = int(2 * blur) + 1
        fixed = self._fixed(outline)
        left, top, width, height = cv2.boundingRect(fixed >> _SHIFT)
        x0, y0 = max(left - pad, 0), max(top - pad, 0)
        below = self.pixels[y0 : top + height + pad, x0 : left + width + pad]
        mask = np.zeros(below.shape[:2], dtype=np.uint8)
        moved = fixed - np.array([x0, y0], dtype=np.int32) * 2**_SHIFT
        cv2.fillConvexPoly(mask, moved, round(255 * strength), cv2.LINE_8, _SHIFT)
        window = 2 * max(1, int(blur)) + 1
        light = 255 - cv2.blur(cv2.blur(mask, (window, window)), (window, window))
        opaque = np.full_like(light, 255)
        cv2.multiply(below, cv2.merge([light, light, light, opaque]), dst=below, scale=1 / 255)

    def finish(self) -> np.ndarray:
        """Return the picture at its true size.

        It is uint8 [H, W, 4] with straight alpha.
        """
        height, width = self.pixels.shape[0] // _OVER, self.pixels.shape[1] // _OVER
        small = cv2.resize(self.pixels, (width, height), interpolation=cv2.INTER_AREA)
        # Empty pixels are black, so the averages are premultiplied: dividing by the opacity undoes that at the edges.
        opacity = cv2.extractChannel(small, 3)
        return cv2.divide(small, cv2.merge([opacity, opacity, opacity, np.full_like(opacity, 255)]), scale=255)


def _round_part(
    canvas: _Canvas, centres: np.ndarray, radii: np.ndarray, colour: Colour, rim_from: float, shadow: float
) -> None:
    """Draw a rounded piece that is lit from above.

    It has a body, a lighter ridge towards the light, a dark rim, and a shadow about it. Rim and shadow start a share
    `rim_from` of the way along, so that a straight finger is one shape and not three.
    """
    rim = max(0.018, 0.4 / canvas.scale)
    started = np.vstack([centres[:1] + (centres[-1] - centres[0]) * rim_from, centres[1:]])
    outline = _hull(started, radii)
    canvas.shadow(outline, shadow, 0.05)
    canvas.fill(outline, _darker(colour, 0.52))
    up = np.array([0.0, -1.0])
    for inside, line, tone in (
        (rim, started, _darker(colour, 0.82)),
        (rim + 0.027, centres, colour),
        (rim + 0.06, centres, _lighter(colour, _RIDGE)),
    ):
        canvas.fill(_hull(line + up * (inside - rim) * 0.4, np.maximum(radii - inside, 0.005)), tone)


def _nail(canvas: _Canvas, part: Part, colour: Colour) -> None:
    facing = part.back[2]
    if facing < 0.15:
        return
    ahead = part.centres[1] - part.centres[0]
    length = float(np.linalg.norm(ahead))
    if length < 0.03:
        return
    ahead = ahead / length
    across = np.array([-ahead[1], ahead[0]])
    radius = part.radii[1]
    middle = part.centres[1] + part.back[:2] * radius * 0.5
    foreshortened = max(min(length / 0.2, 1.0), 0.35)
    for size, tone in ((0.68, _darker(colour, 0.72)), (0.56, colour)):
        along = ahead * radius * size * 1.15 * foreshortened
        wide = across * radius * size * max(facing, 0.35)
        canvas.fill((middle + _CIRCLE[:, :1] * along + _CIRCLE[:, 1:] * wide)[:, None, :], tone)


def _knuckle_lines(canvas: _Canvas, part: Part, colour: Colour) -> None:
    """Draw two creases across a phalanx's joint at the palm's end.

    They are drawn only when the back of the phalanx is seen.
    """
    ahead = part.centres[1] - part.centres[0]
    length = float(np.linalg.norm(ahead))
    if part.back[2] < 0.35 or length < 0.08:
        return
    ahead = ahead / length
    across = np.array([-ahead[1], ahead[0]]) * part.radii[0] * 0.55
    for along in (-0.025, 0.03):
        middle = part.centres[0] + ahead * along
        bow = middle - ahead * np.sign(along) * 0.012
        canvas.line(np.array([[middle - across, bow, middle + across]]).reshape(-1, 1, 2), _darker(colour, 0.74), 0.014)


def _band(canvas: _Canvas, part: Part, colour: Colour) -> None:
    ahead = part.centres[1] - part.centres[0]
    middle = part.centres[0] + ahead * 0.42
    across = np.array([-ahead[1], ahead[0]]) / (np.linalg.norm(ahead) + 1e-6) * part.radii[1] * 0.95
    line = np.array([middle - across, middle + across]).reshape(-1, 1, 2)
    canvas.line(line, _darker(colour, 0.6), 0.09)
    canvas.line(line, colour, 0.055)


def _draw_part(canvas: _Canvas, part: Part, look: HandLook, details: _Details) -> None:
    colour = look.glove or look.skin
    centres, radii = part.centres, part.radii
    if part.kind == "palm":
        _round_part(canvas, centres, radii, colour, rim_from=0.0, shadow=0.3)
        return
    _round_part(canvas, centres, radii, colour, rim_from=0.7 if part.joint == 0 else 0.4, shadow=0.42)
    if look.glove is None:
        if part.joint >= 2 and part.kind == "finger":
            _knuckle_lines(canvas, part, colour)
        if part.digit == 3 and part.joint == 1 and details.ring is not None:
            _band(canvas, part, details.ring)
        if part.joint == (2 if part.kind == "thumb" else 3):
            _nail(canvas, part, details.nail or _lighter(_colour(np.array(colour) * (1.0, 0.93, 0.94)), 0.22))


def _draw_arm(canvas: _Canvas, pose: Pose, look: HandLook, details: _Details) -> None:
    wrist, elbow = pose.arm
    ahead = elbow - wrist
    radii = np.array(_ARM_RADII) * look.slim
    canvas.fill(_hull(pose.arm, radii), _darker(look.skin, 0.52))
    ridge = _lighter(look.skin, _RIDGE)
    for inside, tone in ((0.02, _darker(look.skin, 0.82)), (0.06, _darker(look.skin, 0.94)), (0.11, ridge)):
        canvas.fill(_hull(pose.arm, radii - inside), tone)
    along = ahead / np.linalg.norm(ahead)
    across = np.array([along[1], -along[0]])
    if look.sleeve is None:
        if details.watch is not None:
            middle = wrist + along * 0.42
            line = np.array([middle - across * radii[0] * 1.04, middle + across * radii[0] * 1.04]).reshape(-1, 1, 2)
            canvas.line(line, _darker(details.watch, 0.6), 0.24)
            canvas.line(line, details.watch, 0.19)
            canvas.fill(_hull(middle[None], np.array([0.2])), _darker(details.watch, 0.5))
            canvas.fill(_hull(middle[None], np.array([0.15])), (226, 228, 222))
        return
    wide = np.array(_SLEEVE_RADII)
    cuff = wrist + along * 0.36
    for inside, tone in (
        (0.0, _darker(look.sleeve, 0.5)),
        (0.03, _darker(look.sleeve, 0.72)),
        (0.09, _darker(look.sleeve, 0.87)),
        (0.17, look.sleeve),
        (0.27, _lighter(look.sleeve, 0.06)),
    ):
        a, b = wide[0] - inside, wide[1] - inside
        start = cuff + along * min(inside, 0.03)
        outline = np.array([start - across * a, start + across * a, elbow + across * b, elbow - across * b])
        canvas.fill(outline[:, None, :], tone)
    seam = cuff + along * 0.3
    line = np.array([seam - across * (wide[0] * 0.97), seam + across * (wide[0] * 0.97)]).reshape(-1, 1, 2)
    canvas.line(line, _darker(look.sleeve, 0.62), 0.03)
    # Folds of the cloth: short slanted strokes, alternately from either side.
    for number in range(5):
        start = cuff + along * (0.75 + 0.7 * number)
        edge = across * (wide[0] * 0.85) * (1 if number % 2 else -1)
        fold = np.array([start + edge, start + edge * 0.5 + along * 0.16, start + edge * 0.05 + along * 0.2])
        canvas.line(fold.reshape(-1, 1, 2), _darker(look.sleeve, 0.74), 0.03)


def _join_wrist(canvas: _Canvas, pose: Pose, look: HandLook) -> None:
    """Paint over the palm's rim where skin continues into the forearm."""
    ahead = (pose.arm[1] - pose.arm[0]) / np.linalg.norm(pose.arm[1] - pose.arm[0])
    centres = pose.arm[0] + ahead * np.array([[-0.2], [0.06]])
    radii = np.array([0.1, _ARM_RADII[0] * look.slim - 0.11])
    canvas.fill(_hull(centres, radii), _lighter(look.skin, _RIDGE))


def _extent(parts: list[Part]) -> tuple[np.ndarray, np.ndarray]:
    """Compute the corners (low [2], high [2]) of the parts' tight box."""
    low = np.min([np.min(part.centres - part.radii[:, None], axis=0) for part in parts], axis=0)
    high = np.max([np.max(part.centres + part.radii[:, None], axis=0) for part in parts], axis=0)
    return low, high


def _is_in_front(part: Part, grip: float) -> bool:
    """Check that a part lies over a held thing.

    The thumb does, and the finger ends once they curl.
    """
    return (part.kind == "thumb" and part.joint > 0) or (part.kind == "finger" and part.joint > 1 and grip >= 0.25)


def _draw(
    side: Side, look: HandLook, grip: float, spread: float, angle: float, scale: float, in_front: bool
) -> HandPicture:
    pose = pose_right_hand(grip, spread, angle if side == "right" else -angle, look.slim)
    low, high = _extent(pose.parts)
    reach = max(_SLEEVE_RADII)
    canvas = _Canvas(
        np.minimum(low, pose.arm.min(axis=0) - reach), np.maximum(high, pose.arm.max(axis=0) + reach), scale
    )
    details = _details(look)
    if not in_front:
        _draw_arm(canvas, pose, look, details)
    for part in pose.parts:
        if not in_front or _is_in_front(part, grip):
            _draw_part(canvas, part, look, details)
        if part.kind == "palm" and not in_front and look.glove is None:
            _join_wrist(canvas, pose, look)
    rgba = canvas.finish()
    (x0, y0), (x1, y1), (x, y) = canvas.place(low), canvas.place(high), canvas.place(pose.anchor)
    if side == "left":
        width = rgba.shape[1]
        rgba, x0, x1, x = np.ascontiguousarray(rgba[:, ::-1]), width - x1, width - x0, width - x
    return HandPicture(rgba, (float(x), float(y)), (float(x0), float(y0), float(x1), float(y1)))


def draw_hand(side: Side, look: HandLook, grip: float, spread: float, angle: float, scale: float) -> HandPicture:
    """Draw a hand with its forearm.

    The fingers point up and the arm comes from below.

    Args:
        side: side of the hand. The left is the mirror image of the right at the opposite angle.
        look: colours and thickness.
        grip: 0 for an open flat hand to 1 for a fist.
        spread: 0–1, how far the fingers fan out.
        angle: degrees of turn about the wrist: positive brings the arm from below right, negative from below left.
        scale: palm width in pixels, 10–80.
    """
    return _draw(side, look, grip, spread, angle, scale, in_front=False)


def draw_fingers(side: Side, look: HandLook, grip: float, spread: float, angle: float, scale: float) -> HandPicture:
    """Draw only the parts in front of a held thing.

    The canvas is that of `draw_hand` for the same arguments. Draw the hand, then the thing at the anchor, then the
    fingers.
    """
    return _draw(side, look, grip, spread, angle, scale, in_front=True)
