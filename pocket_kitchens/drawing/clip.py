"""Render a clip of Pocket Kitchens, frame by frame.

Each frame has the true boxes of its hands and of what they hold.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from pocket_kitchens.drawing.camera import Camera, Sensor
from pocket_kitchens.drawing.domains import REVERSED, Domain
from pocket_kitchens.drawing.grip import Grip, choose_grip
from pocket_kitchens.drawing.hands import Side, hand_look
from pocket_kitchens.drawing.kitchen import MARGIN, SCALE
from pocket_kitchens.drawing.layers import (
    Layer,
    coverage,
    exposed,
    exposures,
    joined,
    moved,
    paste,
    placement,
    shadow,
    window,
)
from pocket_kitchens.drawing.motions import Pose, make_motion
from pocket_kitchens.drawing.objects import natural_size
from pocket_kitchens.drawing.pictures import PALM, THING, HandLayers, hand_picture, kitchen_picture, thing_picture
from pocket_kitchens.drawing.props import LID, draw_stream, lid, open_box
from pocket_kitchens.drawing.spec import HEIGHT, WIDTH, Box, ClipSpec, HandBox

PLATE = 92.0
"""Pixels of a dinner plate's longer side at magnification 1."""

LONGER_SIDES = (58.0, 84.0)
"""Least and largest longer side of the thing that is acted on, in pixels at magnification 1."""

LARGEST = 2300.0
"""Largest area of that thing in pixels at magnification 1: a hand hides too little of a larger one."""

AREAS = (0.5, 4.0)
"""Smallest and largest area of another thing, as a factor of the area of the thing that is acted on."""

_OTHER_GRIP = 0.5
# Half of an exposure, of the time between two frames: the shutter of a camera in a bright room.
_SHUTTER = 0.1
_FITTED = 6
_MAP = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Frame:
    """Picture of one frame with its true hand boxes.

    Attributes:
        rgb: uint8 ``[192, 256, 3]``.
        hands: the hands in view.
    """

    rgb: np.ndarray
    hands: list[HandBox]


def render(spec: ClipSpec, domain: Domain, only: Collection[int] | None = None) -> Iterator[Frame]:
    """Render the frames of a clip.

    Some verbs are other verbs run backwards. Their clips have the frames of the other verb in the opposite order,
    camera and noise included.

    Args:
        spec: contents of the clip.
        domain: look of the clip.
        only: numbers of the frames to draw, counted from 0 in the order of the clip; all when None. The frames come in
            the order of the clip, each as it is in the whole clip.
    """
    scene = _Scene(spec, domain)
    for number in _forward(spec, only):
        yield scene.frame(number)


def hidden_shares(spec: ClipSpec, domain: Domain, only: Collection[int] | None = None) -> list[float | None]:
    """Compute the hidden share of the thing in each frame.

    Args:
        spec: contents of the clip.
        domain: look of the clip.
        only: numbers of the frames, as for :func:`render`.

    Returns:
        For each frame the share of the thing's visible area that is covered by hands, and by the lid that they take off
        it. None while no hand is at work on the thing.
    """
    scene = _Scene(spec, domain)
    return [scene.hidden(number) for number in _forward(spec, only)]


def _forward(spec: ClipSpec, only: Collection[int] | None) -> list[int]:
    """List the frames of a clip by their numbers in the motion that is not reversed."""
    numbers = range(spec.frames) if only is None else sorted(only)
    return [spec.frames - 1 - number if spec.verb in REVERSED else number for number in numbers]


class _Scene:
    """Everything of a clip that does not change within it."""

    def __init__(self, spec: ClipSpec, domain: Domain) -> None:
        self._spec = spec
        rng = np.random.default_rng(spec.seed)
        self._motion = make_motion(REVERSED.get(spec.verb, spec.verb), rng)
        self._sides: tuple[Side, Side] = ("right", "left") if self._motion.side > 0 else ("left", "right")
        self._look = hand_look(spec.person)
        self._thing = thing_picture(spec.noun, spec.instance)
        self._size = _fitting_size(self._thing, spec.noun)
        self._upright = float(rng.uniform(-25, 25))
        self._camera = Camera(rng, domain)
        self._sensor = Sensor(rng, domain, spec.seed)
        ground = kitchen_picture(spec.kitchen, domain).copy()
        self._lay_out(rng, ground)
        # OpenCV moves pictures of four channels more than twice as fast as those of three.
        self._ground = cv2.cvtColor(ground, cv2.COLOR_RGB2RGBA)
        working = [pose for pose in map(self._motion.at, np.linspace(0.02, 0.98, 33)) if pose.holds or pose.works]
        working = [working[int(place)] for place in np.linspace(0, len(working) - 1, _FITTED)]
        holds = working[0].holds
        # A hand that is not around the thing comes more from the side, else its arm would cross it.
        self._angle = float(rng.uniform(8, 30) if holds else rng.uniform(24, 42))
        self._shadow = shadow(self._thing, 0.33)
        self._seat, self._lid_size = self._lid_seat(working[0])
        self._grip = choose_grip(
            rng,
            self._thing,
            holds,
            self._motion.side,
            None if working[0].lid is None else self._lid_hand(working[0]),
            lambda grip: float(np.mean([self._hidden(pose, _HALF, grip, _HALF_VIEW) for pose in working])),
        )

    def frame(self, number: int) -> Frame:
        """Render frame ``number`` of the motion that is not reversed.

        Things that move during the frame's exposure are blurred.
        """
        share = self._share(number)
        pose, camera = self._motion.at(share), self._camera.at(share)
        places = self._places(pose, camera, self._grip)
        blur = [share + part * _SHUTTER / self._spec.frames for part in (-1, 1)]
        cameras = [self._camera.at(instant) for instant in blur]
        smeared = [
            self._places(self._motion.at(instant), at, self._grip) for instant, at in zip(blur, cameras, strict=True)
        ]
        canvas = self._background(cameras)
        self._draw(canvas, pose, smeared, camera, places["thing"])
        return Frame(self._sensor.develop(canvas, number), self._boxes(pose, places))

    def hidden(self, number: int) -> float | None:
        """Compute the share of the thing that is hidden in frame ``number``."""
        share = self._share(number)
        pose = self._motion.at(share)
        return self._hidden(pose, self._camera.at(share), self._grip) if pose.holds or pose.works else None

    def _share(self, number: int) -> float:
        return (number + 0.5) / self._spec.frames

    def _lay_out(self, rng: np.random.Generator, ground: np.ndarray) -> None:
        """Put the distractors on the worktop, away from the thing's place."""
        places: list[tuple[float, float]] = []
        for kind, instance in self._spec.distractors:
            for _ in range(30):
                place = float(rng.uniform(0.02, 0.98)), float(rng.uniform(0.14, 0.74))
                apart = min((math.dist(place, other) for other in places), default=1.0)
                if math.dist(place, (0.5, 0.42)) > 0.24 and apart > 0.17:
                    break
            places.append(place)
            picture = thing_picture(kind, instance)
            ratio = math.exp(rng.uniform(math.log(AREAS[0]), math.log(AREAS[1])))
            size = self._size * math.sqrt(ratio * _area(self._thing) / _area(picture))
            at = (place[0] + MARGIN) * SCALE, (place[1] + MARGIN) * SCALE
            by = placement((THING / 2,) * 2, at, size, float(rng.uniform(-70, 70)))
            paste(ground, shadow(picture, 0.33), joined(_BESIDE, by))
            paste(ground, picture, by)

    def _lid_seat(self, pose: Pose) -> tuple[np.ndarray, float]:
        """Find the place and the size of a lid on the thing.

        The place is the middle of the thing's upper edge, (x, y) in view pixels.
        """
        rows = np.flatnonzero(self._thing.opacity.max(axis=1) > 127)
        top, height = int(rows[0]), len(rows)
        columns = np.flatnonzero(self._thing.opacity[top + round(0.12 * height)] > 127)
        seat = np.array([[columns.mean(), top + 0.05 * height]])
        width = float(np.clip(1.12 * self._size * (columns[-1] - columns[0]), 26, 70))
        middle = Grip(PALM, (THING / 2, THING / 2))
        return moved(seat, self._thing_place(pose, middle))[0], width / LID

    def _lid_hand(self, pose: Pose) -> tuple[float, float]:
        """Compute the acting hand's offset when it takes a lid.

        It is the vector from the middle of the thing to the end of its lid on the acting hand's side, in view units.
        """
        end = self._seat + np.array([0.42 * LID * self._lid_size * self._motion.side, -2.0])
        return float(end[0] / SCALE - pose.x), float(end[1] / SCALE - pose.y)

    def _thing_place(self, pose: Pose, grip: Grip) -> np.ndarray:
        size = self._size * pose.size
        return placement(grip.along, _pixels((pose.x, pose.y)), size, self._upright + pose.turn, pose.squash)

    def _acting(self, pose: Pose) -> HandLayers:
        return hand_picture(self._sides[0], self._look, pose.grip, self._angle)

    def _other(self) -> HandLayers:
        return hand_picture(self._sides[1], self._look, _OTHER_GRIP, self._angle)

    def _places(self, pose: Pose, camera: np.ndarray, grip: Grip) -> _MAP:
        """Map each layer of a pose to its affine map.

        The affine maps are from a layer's picture to the frame.
        """
        found = {"thing": self._thing_place(pose, grip)}
        if pose.lid is not None:
            at = self._seat[0] + pose.lid[0] * SCALE, self._seat[1] + pose.lid[1] * SCALE
            found["lid"] = placement((LID / 2, LID / 4), at, self._lid_size, self._upright)
        if pose.box is not None:
            found["box"] = placement((60, 55), _pixels(pose.box), 1.0)
        scale = grip.palm / PALM
        if pose.hand is not None:
            at = _pixels((pose.hand[0] + grip.acting[0], pose.hand[1] + grip.acting[1]))
            found["acting"] = placement(self._acting(pose).anchor, at, scale * pose.hand_size)
        if pose.other is not None:
            at = _pixels((pose.other[0] + grip.other[0], pose.other[1] + grip.other[1]))
            found["other"] = placement(self._other().anchor, at, scale)
        return {name: joined(camera, by) for name, by in found.items()}

    def _hidden(self, pose: Pose, camera: np.ndarray, grip: Grip, view: tuple[int, int] = (HEIGHT, WIDTH)) -> float:
        """Compute the share of the thing's area in view that is covered.

        It is covered by everything that is drawn above it.
        """
        places = self._places(pose, camera, grip)
        inside = window(view, self._thing, places["thing"])
        if inside is None:
            return 0.0
        thing = coverage(self._thing, places["thing"], inside)
        left = thing
        for name, layer in self._above(pose):
            if name in places:
                clear = cv2.bitwise_not(coverage(layer, places[name], inside))
                left = cv2.multiply(left, clear, scale=1 / 255)
        return 1 - float(left.sum()) / max(float(thing.sum()), 1.0)

    def _above(self, pose: Pose) -> list[tuple[str, Layer]]:
        """List the layers that are drawn over the thing, lowest first."""
        layers = [] if pose.lid is None else [("lid", lid(self._spec.instance))]
        if pose.other is not None:
            layers.append(("other", self._other().whole))
        if pose.hand is not None:
            layers.append(("acting", self._acting(pose).front if pose.holds else self._acting(pose).whole))
        return layers

    def _background(self, cameras: list[np.ndarray]) -> np.ndarray:
        """Draw the worktop from the start to the end of an exposure, uint8 ``[192, 256, 3]``."""
        to_view = np.array([[1.0, 0, -MARGIN * SCALE], [0, 1.0, -MARGIN * SCALE]])
        maps = exposures((WIDTH, HEIGHT), *cameras)
        drawn = exposed(self._ground, [joined(camera, to_view) for camera in maps], (WIDTH, HEIGHT))
        return np.asarray(cv2.cvtColor(drawn, cv2.COLOR_RGBA2RGB))

    def _draw(self, canvas: np.ndarray, pose: Pose, smeared: list[_MAP], camera: np.ndarray, thing: np.ndarray) -> None:
        """Draw everything on the worktop, without light and noise, in place.

        Args:
            canvas: the worktop, uint8 ``[192, 256, 3]``.
            pose: the pose in the middle of the exposure.
            smeared: the places of the layers at the start and at the end of the exposure.
            camera: the map from view to frame in the middle of it.
            thing: the map of the thing in the middle of it.
        """

        def put(name: str, layer: Layer, beside: np.ndarray | None = None) -> None:
            found = [instant[name] for instant in smeared if name in instant]
            paste(canvas, layer, *(found if beside is None else [joined(beside, by) for by in found]))

        put("thing", self._shadow, _BESIDE)
        if pose.box is not None:
            put("box", open_box(self._spec.kitchen % 97, front=False))
        if pose.box is not None and pose.holds:
            put("box", open_box(self._spec.kitchen % 97, front=True))
        if pose.holds:
            put("acting", self._acting(pose).whole)
        put("thing", self._thing)
        if pose.box is not None and not pose.holds:
            put("box", open_box(self._spec.kitchen % 97, front=True))
        if pose.stream > 0:
            self._draw_stream(canvas, pose, camera, thing)
        for name, layer in self._above(pose):
            put(name, layer)

    def _draw_stream(self, canvas: np.ndarray, pose: Pose, camera: np.ndarray, thing: np.ndarray) -> None:
        """Draw water from a tilted thing, else onto the thing from above.

        Out of a tilted thing the water runs from its upper edge down.
        """
        x, y = _pixels((pose.x, pose.y))
        if abs(pose.turn) > 40:
            rows, columns = np.nonzero(self._thing.opacity > 127)
            rows, columns = rows[:20], columns[:20]
            upper = moved(np.array([[columns.mean(), rows.mean()]]), thing)[0]
            draw_stream(canvas, upper, upper + np.array([0.0, 60.0]), pose.stream)
            return
        upper, lower = moved(np.array([[x, -40.0], [x, y]]), camera)
        draw_stream(canvas, upper, lower, pose.stream)

    def _boxes(self, pose: Pose, places: _MAP) -> list[HandBox]:
        found = []
        held = self._held(places["thing"]) if pose.holds else None
        if "other" in places:
            box = _seen(self._other().box, places["other"])
            found += [] if box is None else [HandBox(self._sides[1], box, None)]
        if "acting" in places:
            box = _seen(self._acting(pose).box, places["acting"])
            found += [] if box is None else [HandBox(self._sides[0], box, held)]
        return found

    def _held(self, by: np.ndarray) -> Box | None:
        """Compute the tight box of the thing."""
        inside = window((HEIGHT, WIDTH), self._thing, by)
        if inside is None:
            return None
        solid = coverage(self._thing, by, inside) > 127
        rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
        if not len(rows):
            return None
        x, y = inside[0] + columns, inside[1] + rows
        return float(x[0] / WIDTH), float(y[0] / HEIGHT), float((x[-1] + 1) / WIDTH), float((y[-1] + 1) / HEIGHT)


_BESIDE = np.array([[1.0, 0, 3], [0, 1.0, 4]])
"""Map from a thing to its shadow: a little to the right of it and below."""

_HALF = np.array([[0.5, 0, 0], [0, 0.5, 0]])
_HALF_VIEW = (HEIGHT // 2, WIDTH // 2)


def _area(layer: Layer) -> float:
    return float(layer.opacity.sum()) / 255


def _fitting_size(thing: Layer, noun: str) -> float:
    """Compute the number of view pixels per pixel of the thing's picture."""
    height, width = (int(np.count_nonzero(thing.opacity.max(axis=axis) > 127)) for axis in (1, 0))
    longer = float(np.clip(PLATE * natural_size(noun), *LONGER_SIDES)) / max(height, width)
    return max(min(longer, math.sqrt(LARGEST / _area(thing))), LONGER_SIDES[0] / max(height, width))


def _pixels(place: tuple[float, float]) -> tuple[float, float]:
    return place[0] * SCALE, place[1] * SCALE


def _seen(box: Box, by: np.ndarray) -> Box | None:
    """Convert a box of a picture to shares of the frame.

    The box is cut to the frame. The result is None when less than a tenth of the box is in view.
    """
    (a, b, x), (c, d, y) = by.tolist()
    corners = [(a * u + b * v + x, c * u + d * v + y) for u in (box[0], box[2]) for v in (box[1], box[3])]
    columns, rows = zip(*corners, strict=True)
    left, top, right, bottom = min(columns), min(rows), max(columns), max(rows)
    x0, y0, x1, y1 = max(left, 0.0), max(top, 0.0), min(right, WIDTH), min(bottom, HEIGHT)
    if x1 <= x0 or y1 <= y0 or (x1 - x0) * (y1 - y0) < 0.1 * (right - left) * (bottom - top):
        return None
    return x0 / WIDTH, y0 / HEIGHT, x1 / WIDTH, y1 / HEIGHT
