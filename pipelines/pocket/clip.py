"""One clip of Pocket Kitchens, frame by frame, with the true boxes of its hands and of what they hold."""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from pipelines.pocket.domains import REVERSED, Domain
from pipelines.pocket.hands import HandLook, HandPicture, draw_fingers, draw_hand, hand_look
from pipelines.pocket.kitchen import MARGIN, SCALE, draw_kitchen
from pipelines.pocket.layers import coverage, joined, moved, paste, placement, prepared
from pipelines.pocket.motions import Pose, make_motion
from pipelines.pocket.objects import draw_object, natural_size
from pipelines.pocket.spec import HEIGHT, WIDTH, Box, ClipSpec, HandBox

PLATE = 84.0
"""Pixels of a dinner plate's longer side at magnification 1."""

AREAS = (0.5, 4.0)
"""Smallest and largest area of another thing, as a factor of the one that is acted on."""

_PICTURE = 128
_PALMS = (26.0, 30.0, 34.0, 38.0, 43.0)
_GRIP = 0.65
_OTHER_GRIP = 0.5
_STEPS = 12


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame.

    Attributes:
        rgb: uint8 ``[192, 256, 3]``.
        hands: the hands in view.
        hidden: how much of the held thing's area fingers cover, None while it is not held.
    """

    rgb: np.ndarray
    hands: list[HandBox]
    hidden: float | None


def render(spec: ClipSpec, domain: Domain, only: Collection[int] | None = None) -> Iterator[Frame]:
    """The frames of a clip.

    The clip of a verb that is another run backwards has the frames of that one in the opposite order, camera
    and noise included.

    Args:
        spec: what it shows.
        domain: how it looks.
        only: numbers of the frames to draw, counted from 0 in the order of the clip; all when None. Whichever are
            asked for come in the order of the clip, each as it is in the whole clip.
    """
    scene = _Scene(spec, domain)
    backwards = spec.verb in REVERSED
    for number in range(spec.frames) if only is None else sorted(only):
        yield scene.frame(spec.frames - 1 - number if backwards else number)


class _Scene:
    """All that does not change within a clip."""

    def __init__(self, spec: ClipSpec, domain: Domain) -> None:
        self._spec, self._domain = spec, domain
        rng = np.random.default_rng(spec.seed)
        self._motion = make_motion(REVERSED.get(spec.verb, spec.verb), rng)
        self._look = hand_look(spec.person)
        self._acting = "right" if rng.random() < 0.8 else "left"
        self._thing = _picture(spec.noun, spec.instance)
        self._size = PLATE * natural_size(spec.noun) / _PICTURE
        self._size = max(self._size, 40 / _PICTURE)
        self._upright = float(rng.uniform(-25, 25))
        self._angle = float(rng.uniform(8, 30))
        self._camera = _Camera(rng, domain)
        self._light = _light(rng, domain)
        self._ground = draw_kitchen(spec.kitchen, domain).astype(np.float32)
        self._lay_out(rng)
        self._palm = self._fitting_palm(rng)

    def frame(self, number: int) -> Frame:
        """Frame ``number`` of the motion that is not reversed; half the shutter time before and after it is blurred."""
        share = (number + 0.5) / self._spec.frames
        near = 0.2 / self._spec.frames
        drawn = [self._draw(share - near), self._draw(share + near)]
        picture = (drawn[0] + drawn[1]) / 2 * self._light
        rng = np.random.default_rng((self._spec.seed, number))
        picture = picture + rng.normal(0, self._domain.noise, picture.shape[:2]).astype(np.float32)[..., None]
        rgb = _toned(picture, self._domain.saturation)
        hands, hidden = self._truth(share)
        return Frame(rgb, hands, hidden)

    def _lay_out(self, rng: np.random.Generator) -> None:
        """Put the distractors on the worktop, where they leave the middle to the thing."""
        places: list[tuple[float, float]] = []
        for kind, instance in self._spec.distractors:
            for _ in range(30):
                place = float(rng.uniform(0.02, 0.98)), float(rng.uniform(0.14, 0.74))
                apart = min((math.dist(place, other) for other in places), default=1.0)
                if math.dist(place, (0.5, 0.42)) > 0.24 and apart > 0.17:
                    break
            places.append(place)
            picture = _picture(kind, instance)
            ratio = math.exp(rng.uniform(math.log(AREAS[0]), math.log(AREAS[1])))
            size = self._size * math.sqrt(ratio * self._thing[..., 3].sum() / picture[..., 3].sum())
            by = placement((_PICTURE / 2,) * 2, _ground_pixels(place), size, float(rng.uniform(-70, 70)))
            _shade(self._ground, picture, by)
            paste(self._ground, picture, by)

    def _fitting_palm(self, rng: np.random.Generator) -> float:
        """Palm width, in pixels, with which the fingers hide about as much of the held thing as a hand does."""
        aim = float(rng.uniform(0.36, 0.54))
        pose = Pose(0.5, 0.4, hand=(0.5, 0.4), grip=_GRIP, holds=True)
        camera = np.eye(2, 3)
        thing = self._thing_seen(pose, camera)
        hidden = [abs(self._hidden(thing, pose, palm, camera) - aim) for palm in _PALMS]
        return _PALMS[int(np.argmin(hidden))]

    def _thing_seen(self, pose: Pose, camera: np.ndarray) -> np.ndarray:
        return coverage((HEIGHT, WIDTH), self._thing, joined(camera, self._thing_place(pose)))

    def _hidden(self, thing: np.ndarray, pose: Pose, palm: float, camera: np.ndarray) -> float:
        front = _hand(self._acting, self._look, _step(pose.grip), self._angle, palm, True)
        fingers = coverage((HEIGHT, WIDTH), front.rgba, joined(camera, _at(front, pose.hand or (0, 0))))
        return float((thing * fingers).sum() / max(thing.sum(), 1e-6))

    def _thing_place(self, pose: Pose) -> np.ndarray:
        size = self._size * pose.size * (1 - 0.35 * pose.inside)
        return placement((_PICTURE / 2,) * 2, _pixels((pose.x, pose.y)), size, self._upright + pose.turn, pose.squash)

    def _draw(self, share: float) -> np.ndarray:
        pose, camera = self._motion.at(share), self._camera.at(share)
        to_view = joined(camera, np.array([[1.0, 0, -MARGIN * SCALE], [0, 1.0, -MARGIN * SCALE]]))
        canvas = np.asarray(cv2.warpAffine(self._ground, to_view, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR))
        thing = joined(camera, self._thing_place(pose))
        back = self._hands(pose, camera, front=False)
        if not pose.holds:
            _shade(canvas, self._thing, thing)
        if pose.box is not None:
            self._draw_box(canvas, pose.box, camera, front=False)
        behind = back if pose.holds else []
        for picture, by in behind:
            paste(canvas, picture, by)
        paste(canvas, self._thing, thing)
        if pose.lid is not None:
            self._draw_lid(canvas, pose, camera)
        if pose.box is not None:
            self._draw_box(canvas, pose.box, camera, front=True)
        if pose.stream > 0:
            self._draw_stream(canvas, pose, camera)
        for picture, by in [] if pose.holds else back:
            paste(canvas, picture, by)
        if pose.holds:
            for picture, by in self._hands(pose, camera, front=True):
                paste(canvas, picture, by)
        return canvas

    def _hands(self, pose: Pose, camera: np.ndarray, front: bool) -> list[tuple[np.ndarray, np.ndarray]]:
        found = self._hand_pictures(pose, front)
        return [(hand.rgba, joined(camera, _at(hand, place))) for _, hand, place in found]

    def _hand_pictures(self, pose: Pose, front: bool) -> list[tuple[str, HandPicture, tuple[float, float]]]:
        """The hands that are not outside: the other one, then the acting one; of ``front`` the acting one's fingers."""
        found = []
        other = "left" if self._acting == "right" else "right"
        if pose.other is not None and not front:
            hand = _hand(other, self._look, _step(_OTHER_GRIP), self._angle, self._palm, False)
            found.append((other, hand, pose.other))
        if pose.hand is not None:
            hand = _hand(self._acting, self._look, _step(pose.grip), self._angle, self._palm, front)
            found.append((self._acting, hand, pose.hand))
        return found

    def _truth(self, share: float) -> tuple[list[HandBox], float | None]:
        pose, camera = self._motion.at(share), self._camera.at(share)
        held = hidden = None
        if pose.holds:
            thing = self._thing_seen(pose, camera)
            held, hidden = _tight(thing), self._hidden(thing, pose, self._palm, camera)
        boxes = []
        for side, hand, place in self._hand_pictures(pose, front=False):
            box = _seen(hand.box, joined(camera, _at(hand, place)))
            if box is not None:
                boxes.append(HandBox(side, box, held if side == self._acting else None))
        return boxes, hidden

    def _draw_lid(self, canvas: np.ndarray, pose: Pose, camera: np.ndarray) -> None:
        assert pose.lid is not None
        width = self._size * _PICTURE
        lid = _lid(self._spec.instance, round(max(24.0, 0.7 * width)))
        side = 1.0 if pose.hand is None or pose.hand[0] >= pose.x else -1.0
        place = pose.x + side * 0.2 * pose.lid, pose.y - 0.4 * width / SCALE * (1 - 0.4 * pose.lid)
        paste(canvas, lid, joined(camera, placement((lid.shape[1] / 2, lid.shape[0] / 2), _pixels(place), 1.0)))

    def _draw_box(self, canvas: np.ndarray, place: tuple[float, float], camera: np.ndarray, front: bool) -> None:
        box = _open_box(self._spec.kitchen % 97, front)
        paste(canvas, box, joined(camera, placement((box.shape[1] / 2, box.shape[0] / 2), _pixels(place), 1.0)))

    def _draw_stream(self, canvas: np.ndarray, pose: Pose, camera: np.ndarray) -> None:
        x, y = _pixels((pose.x, pose.y))
        low = y + 46 if abs(pose.turn) > 40 else y
        x = x - math.copysign(0.35 * self._size * _PICTURE, pose.turn) if abs(pose.turn) > 40 else x
        high = y if abs(pose.turn) > 40 else -20.0
        upper, lower = ((int(end[0]), int(end[1])) for end in moved(np.array([[x, high], [x, low]]), camera))
        layer = canvas.copy()
        cv2.line(layer, upper, lower, (200, 215, 235), 5, cv2.LINE_AA)
        canvas += 0.7 * pose.stream * (layer - canvas)


class _Camera:
    """A head that sways: a map from view pixels to frame pixels at each share of the clip."""

    def __init__(self, rng: np.random.Generator, domain: Domain) -> None:
        self._waves = rng.uniform(0.5, 3.0, 6), rng.uniform(0, 2 * math.pi, 6)
        self._far = rng.uniform(2, 5, 3)
        self._roll = float(rng.uniform(-domain.tilt, domain.tilt))
        self._zoom = float(rng.uniform(*domain.zoom))

    def at(self, share: float) -> np.ndarray:
        """float64 ``[2, 3]``."""
        often, phase = self._waves
        sway = np.sin(2 * math.pi * often * share + phase).reshape(2, 3).mean(0) * self._far
        centre = WIDTH / 2, HEIGHT / 2
        return placement(centre, (centre[0] + sway[0], centre[1] + sway[1]), self._zoom, self._roll + 0.4 * sway[2])


def _light(rng: np.random.Generator, domain: Domain) -> np.ndarray:
    """Gain of each pixel and colour: how bright the room is, a lamp on one side, darker corners."""
    x, y = np.meshgrid(np.linspace(-1, 1, WIDTH), np.linspace(-1, 1, HEIGHT))
    angle = rng.uniform(0, 2 * math.pi)
    gain = rng.uniform(0.72, 1.15) * (1 + 0.16 * (x * math.cos(angle) + y * math.sin(angle)) - 0.1 * (x * x + y * y))
    colour = np.array([1 + 0.06 * domain.warmth, 1.0, 1 - 0.06 * domain.warmth])
    return (gain[..., None] * colour).astype(np.float32)


def _toned(picture: np.ndarray, saturation: float) -> np.ndarray:
    grey = picture.mean(axis=2, keepdims=True)
    return np.clip(grey + saturation * (picture - grey), 0, 255).astype(np.uint8)


def _shade(canvas: np.ndarray, picture: np.ndarray, by: np.ndarray) -> None:
    """A shadow of a picture, a little to the right of it and below."""
    beside = joined(np.array([[1.0, 0, 3], [0, 1.0, 4]]), by)
    paste(canvas, picture * np.array([0, 0, 0, 0.33], np.float32), beside)


@functools.lru_cache(maxsize=4096)
def _picture(kind: str, instance: int) -> np.ndarray:
    return prepared(draw_object(kind, instance, _PICTURE))


@functools.lru_cache(maxsize=512)
def _hand(side: str, look: HandLook, grip: float, angle: float, palm: float, front: bool) -> HandPicture:
    draw = draw_fingers if front else draw_hand
    drawn = draw(side, look, grip, 0.4, angle if side == "right" else -angle, palm)  # type: ignore[arg-type]
    return replace(drawn, rgba=prepared(drawn.rgba))


def _step(grip: float) -> float:
    return round(grip * _STEPS) / _STEPS


def _at(hand: HandPicture, place: tuple[float, float]) -> np.ndarray:
    return placement(hand.anchor, _pixels(place), 1.0)


def _pixels(place: tuple[float, float]) -> tuple[float, float]:
    return place[0] * SCALE, place[1] * SCALE


def _ground_pixels(place: tuple[float, float]) -> tuple[float, float]:
    return (place[0] + MARGIN) * SCALE, (place[1] + MARGIN) * SCALE


@functools.lru_cache(maxsize=256)
def _lid(instance: int, width: int) -> np.ndarray:
    """A lid with a knob."""
    rng = np.random.default_rng(instance)
    colour = [int(value) for value in rng.integers(60, 220, 3)]
    height = max(8, width // 3)
    picture = np.zeros((height, width, 4), np.uint8)
    middle = width // 2, height // 2
    cv2.ellipse(picture, middle, (width // 2 - 1, height // 2 - 1), 0, 0, 360, (*colour, 255), -1, cv2.LINE_AA)
    cv2.circle(picture, middle, max(2, height // 5), (*(value // 2 for value in colour), 255), -1, cv2.LINE_AA)
    return prepared(picture)


@functools.lru_cache(maxsize=256)
def _open_box(seed: int, front: bool) -> np.ndarray:
    """A box seen from above and in front: its dark inside, or the front wall that hides what is in it."""
    rng = np.random.default_rng(seed)
    colour = np.array([rng.uniform(120, 200), rng.uniform(90, 150), rng.uniform(60, 110)])
    picture = np.zeros((84, 100, 4), np.uint8)
    if front:
        cv2.rectangle(picture, (4, 42), (96, 80), (*(int(value) for value in colour), 255), -1, cv2.LINE_AA)
        cv2.rectangle(picture, (4, 42), (96, 46), (*(int(0.8 * value) for value in colour), 255), -1, cv2.LINE_AA)
        return prepared(picture)
    outline = np.array([[4, 44], [14, 8], [86, 8], [96, 44]])
    cv2.fillPoly(picture, [outline], (*(int(0.45 * value) for value in colour), 255), cv2.LINE_AA)
    return prepared(picture)


def _seen(box: Box, by: np.ndarray) -> Box | None:
    """A box of a picture as shares of the frame, cut to it; None when less than a tenth of it is in view."""
    corners = moved(np.array([[box[0], box[1]], [box[2], box[1]], [box[0], box[3]], [box[2], box[3]]]), by)
    low, high = corners.min(axis=0), corners.max(axis=0)
    inside_low, inside_high = np.maximum(low, 0), np.minimum(high, (WIDTH, HEIGHT))
    if (inside_high <= inside_low).any() or np.prod(inside_high - inside_low) < 0.1 * np.prod(high - low):
        return None
    scale = np.array([WIDTH, HEIGHT])
    x0, y0 = inside_low / scale
    x1, y1 = inside_high / scale
    return float(x0), float(y0), float(x1), float(y1)


def _tight(covered: np.ndarray) -> Box | None:
    rows, columns = np.flatnonzero(covered.max(axis=1) > 0.5), np.flatnonzero(covered.max(axis=0) > 0.5)
    if not len(rows) or not len(columns):
        return None
    return columns[0] / WIDTH, rows[0] / HEIGHT, (columns[-1] + 1) / WIDTH, (rows[-1] + 1) / HEIGHT
