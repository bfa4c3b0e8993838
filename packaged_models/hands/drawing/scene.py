"""Draw a picture with the true boxes of its visible hands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np

from packaged_models.hands.drawing.backgrounds import paste_thing, random_background
from packaged_models.hands.drawing.lens import distorted, lit, occlusion, photographed, streak, uneven
from packaged_models.hands.drawing.limb import Limb, random_limb, random_look
from packaged_models.hands.drawing.mesh import HandMesh
from packaged_models.hands.drawing.photographs import Photographs
from packaged_models.hands.drawing.raster import Surface, View, rasterise
from packaged_models.hands.drawing.solids import arm, random_solid
from packaged_models.hands.drawing.textures import random_colour, random_texture, skin_texture, skin_tone

Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")

LEAST_SEEN = 0.12
"""Least visible share of a hand's own surface for a label; a hand with less is left unlabelled."""
LEAST_PIXELS = 5

_HAND = 0.18  # metres from the wrist to the fingertips
_HELD = 100  # labels of what is held: 100 + the hand's
_FORMS = ((1.0, 0.75), (1.0, 0.5625), (1.0, 1.0), (0.75, 1.0), (0.5625, 1.0))
_FORM_ODDS = (0.4, 0.3, 0.12, 0.1, 0.08)


@dataclass(frozen=True)
class SeenHand:
    """Side and boxes of a visible hand.

    Attributes:
        side: side of the hand.
        box: x0, y0, x1, y1 of the tight box of the visible hand, from the wrist on, shares of the picture.
        held: box of the visible part of the held thing, shares of the picture; None when nothing is held.
    """

    side: Side
    box: tuple[float, float, float, float]
    held: tuple[float, float, float, float] | None


@dataclass(frozen=True, eq=False)
class Picture:
    """Picture with its visible hands.

    Attributes:
        rgb: uint8 ``[H, W, 3]`` RGB.
        hands: the visible hands.
    """

    rgb: np.ndarray
    hands: list[SeenHand]


def draw_picture(mesh: HandMesh, seed: int, index: int, longer: int, photographs: Photographs | None = None) -> Picture:
    """Draw picture ``index`` of a seed.

    The same arguments give the same picture. Half of the pictures are seen by the person whose hands they are, half by
    another person. A ninth has no hands.

    Args:
        mesh: the hand.
        seed: seed of the set, 0 or more.
        index: number of the picture in the set, 0 or more.
        longer: the longer side, pixels.
        photographs: photographs behind and before half of the hands; None draws everything.
    """
    rng = np.random.default_rng((seed, index))
    across, down = _FORMS[int(rng.choice(len(_FORMS), p=_FORM_ODDS))]
    width, height = round(longer * across), round(longer * down)
    view = View(longer / 2 / float(np.tan(np.radians(rng.uniform(48, 105)) / 2)), width, height)
    surfaces, sides, size = _hands(mesh, view, rng)
    if rng.random() < 0.35:
        surfaces += _others(view, rng)
    canvas = random_background(rng, height, width, photographs)
    labels = np.zeros((height, width), np.uint8)
    areas: dict[int, float] = {}
    if surfaces:
        canvas, labels, areas = _laid(canvas, surfaces, view, size, rng)
    if sides and rng.random() < 0.12:
        canvas, labels = _covered(canvas, labels, rng, photographs)
    canvas *= uneven(rng, height, width)
    if rng.random() < 0.35:
        canvas, labels = distorted(canvas, labels, float(rng.uniform(0.03, 0.4)))
    return Picture(photographed(canvas, rng), _seen(labels, sides, areas))


def _hands(mesh: HandMesh, view: View, rng: np.random.Generator) -> tuple[list[Surface], list[Side], float]:
    """Draw the hands of a picture.

    Returns their surfaces, the side of hand 1, 2, …, and the largest hand's size in pixels.
    """
    first_person = rng.random() < 0.55
    odds = (0.11, 0.33, 0.5, 0.04, 0.02) if first_person else (0.11, 0.44, 0.3, 0.1, 0.05)
    count = int(rng.choice(5, p=odds))
    look = random_look(rng)
    longer = max(view.width, view.height)
    least, most = (0.17, 0.6) if first_person else (0.08, 0.75)
    share = float(np.exp(rng.uniform(np.log(least), np.log(most))))
    surfaces: list[Surface] = []
    sides: list[Side] = []
    start = int(rng.integers(2))
    for number in range(count):
        if number % 2 == 0 and number:
            look = random_look(rng)
        side = SIDES[(start + number) % 2]
        own = share * float(rng.uniform(0.8, 1.25) if first_person else np.exp(rng.normal(0, 0.35)))
        depth = max(view.focal * _HAND / (own * longer), 0.2)
        limb = random_limb(mesh, look, rng, number + 1, 0.55 if first_person else 0.4)
        turn = _first_person(rng) if first_person else _any_turn(rng)
        at = _place(view, rng, side, depth, first_person)
        surfaces += _placed(limb, turn, at, side, number + 1)
        sides.append(side)
    return surfaces, sides, share * longer


def _placed(limb: Limb, turn: np.ndarray, at: np.ndarray, side: Side, number: int) -> list[Surface]:
    """Place a limb in camera axes.

    The held thing has a label of its own. A left limb is the mirror image.
    """
    found = []
    for index, surface in enumerate(limb.surfaces):
        vertices = (surface.vertices - limb.middle) @ turn.T
        triangles = surface.triangles
        if side == "left":
            vertices = vertices * np.array([-1.0, 1, 1])
            triangles = triangles[:, ::-1]
        label = _HELD + number if index == limb.held else surface.label
        found.append(replace(surface, vertices=vertices + at, triangles=triangles, label=label))
    return found


def _first_person(rng: np.random.Generator) -> np.ndarray:
    """Draw the turn of a right hand in its owner's view.

    The hand comes from below.
    """
    fingers = rng.normal([-0.4, -0.5, 0.65], [0.4, 0.4, 0.4])
    return _turn(fingers, rng.normal([-0.5, 0.5, 0.15], 0.75))


def _any_turn(rng: np.random.Generator) -> np.ndarray:
    return _turn(rng.normal(size=3), rng.normal(size=3))


def _turn(fingers: np.ndarray, palm: np.ndarray) -> np.ndarray:
    """Compute the rotation from the directions of fingers and palm.

    The fingers point exactly in their direction, the palm as far as it can.
    """
    fingers = fingers / np.linalg.norm(fingers)
    palm = palm - fingers * (palm @ fingers)
    palm /= np.linalg.norm(palm)
    return np.stack([np.cross(fingers, palm), fingers, palm], axis=1)


def _place(view: View, rng: np.random.Generator, side: Side, depth: float, first_person: bool) -> np.ndarray:
    """Draw the position of a hand's middle, in metres.

    Some hands are cut by the picture's edge.
    """
    if first_person:
        x, y = rng.normal(0.64 if side == "right" else 0.36, 0.19), rng.normal(0.58, 0.2)
    else:
        x, y = rng.uniform(0.03, 0.97, 2)
    pixel = np.array([(x - 0.5) * view.width, (y - 0.5) * view.height])
    return np.array([*(pixel * depth / view.focal), depth])


def _others(view: View, rng: np.random.Generator) -> list[Surface]:
    """Draw solid things and arms that are no hands.

    They are solid things that no hand holds, and limbs without hands. They are drawn as hands are.
    """
    found = []
    for _ in range(int(rng.integers(1, 5))):
        depth = float(np.exp(rng.uniform(np.log(0.45), np.log(2.0))))
        pixel = rng.uniform(-0.5, 0.5, 2) * (view.width, view.height)
        at = np.array([*(pixel * depth / view.focal), depth])
        turn = _any_turn(rng)
        if rng.random() < 0.35:
            limb = arm(
                np.zeros(3),
                np.array([0.02, 0.02]) * rng.uniform(0.5, 1.8),
                np.array([0, -1.0, 0]),
                rng.uniform(0.06, 0.4),
            )
            colour, texture, gloss = skin_tone(rng), skin_texture(rng), 0.1
        else:
            limb = random_solid(rng)[0]
            colour = skin_tone(rng) if rng.random() < 0.3 else random_colour(rng)
            texture, gloss = random_texture(rng), float(rng.choice([0.05, 0.3, 0.8]))
        found.append(Surface(limb.vertices @ turn.T + at, limb.triangles, colour, limb.uv, texture, gloss))
    return found


def _laid(
    canvas: np.ndarray, surfaces: list[Surface], view: View, size: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, dict[int, float]]:
    """Draw the surfaces over the background.

    They cast a shadow on it and are blurred where they move.
    """
    buffers = rasterise(surfaces, view)
    shape = view.height, view.width
    there = np.flatnonzero(buffers.nearness)
    drawn = np.zeros((len(buffers.nearness), 3), np.float32)
    drawn[there] = lit(buffers.normal[there], buffers.albedo[there], buffers.gloss[there], rng)
    nearness = buffers.nearness.reshape(shape)
    front = drawn.reshape(*shape, 3) * occlusion(nearness, size)[..., None]
    cover = (nearness > 0).astype(np.float32)
    if rng.random() < 0.6:
        shift = np.array([[1, 0, rng.normal(0, 0.1) * size], [0, 1, abs(rng.normal(0, 0.12)) * size]], np.float32)
        cast = cv2.warpAffine(cover, shift, (view.width, view.height))
        cast = cv2.GaussianBlur(cast, (0, 0), max(0.06 * size, 1))
        canvas = canvas * (1 - float(rng.uniform(0.15, 0.6)) * cast)[..., None]
    if rng.random() < 0.15:
        kernel = streak(rng, float(rng.uniform(0.04, 0.22)) * size)
        soft_front, soft_cover = cv2.filter2D(front, -1, kernel), cv2.filter2D(cover, -1, kernel)
    else:
        soft_front, soft_cover = (cv2.GaussianBlur(layer, (3, 3), 0.55) for layer in (front, cover))
    laid = canvas * (1 - soft_cover[..., None]) + soft_front
    return laid, buffers.label.reshape(shape), buffers.areas


def _covered(
    canvas: np.ndarray, labels: np.ndarray, rng: np.random.Generator, photographs: Photographs | None
) -> tuple[np.ndarray, np.ndarray]:
    """Draw something in front of everything, close to a hand."""
    drawn = np.clip(canvas, 0, 255).astype(np.uint8)
    before = drawn.copy()
    paste_thing(drawn, rng, 0.1, 0.4, photographs)
    hidden = np.abs(drawn.astype(np.int16) - before).max(axis=2) > 8
    return drawn.astype(np.float32), np.where(hidden, 0, labels).astype(np.uint8)


def _seen(labels: np.ndarray, sides: list[Side], areas: dict[int, float]) -> list[SeenHand]:
    found = []
    for number, side in enumerate(sides, start=1):
        mask = labels == number
        box = _tight(mask)
        if box is None or int(mask.sum()) < LEAST_SEEN * areas.get(number, 0.0):
            continue
        if min((box[2] - box[0]) * labels.shape[1], (box[3] - box[1]) * labels.shape[0]) >= LEAST_PIXELS:
            found.append(SeenHand(side, box, _tight(labels == _HELD + number)))
    return found


def _tight(mask: np.ndarray) -> tuple[float, float, float, float] | None:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    height, width = mask.shape
    return (
        float(columns[0] / width),
        float(rows[0] / height),
        float((columns[-1] + 1) / width),
        float((rows[-1] + 1) / height),
    )
