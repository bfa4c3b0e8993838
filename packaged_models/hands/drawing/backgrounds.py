"""Draw the backgrounds of hands.

Backgrounds show rooms, tables, clutter, writing, and things of the colour of skin that are no hands. Everything is
drawn, except photographs that the user names.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np

from packaged_models.hands.drawing.photographs import Photographs
from packaged_models.hands.drawing.textures import noise, random_colour, random_texture, skin_tone
from pocket_kitchens.drawing.domains import EGO4D, EPIC
from pocket_kitchens.drawing.kitchen import draw_kitchen
from pocket_kitchens.drawing.layers import Layer, paste, placement, prepared, shadow
from pocket_kitchens.drawing.objects import KINDS, draw_object
from pocket_kitchens.world import INSTANCES, KITCHENS

_DRAWN = 96
_LETTERS = "ABCDEFGHKLMNOPRSTUVWXYZabcdefghiklmnoprstuvwxyz0123456789%&"


def random_background(
    rng: np.random.Generator, height: int, width: int, photographs: Photographs | None = None
) -> np.ndarray:
    """Draw a random background.

    With photographs, half of the backgrounds show a scene of them.

    Returns:
        float32 ``[height, width, 3]``, 0 to 255.
    """
    form = rng.random()
    if photographs is not None and rng.random() < 0.5:
        picture = photographs.scene(rng, height, width)
    elif form < 0.15:
        picture = _kitchen(rng, height, width)
    elif form < 0.6:
        picture = _room(rng, height, width)
    elif form < 0.8:
        picture = _surface(rng, height, width)
    else:
        picture = _collage(rng, height, width)
    canvas = np.clip(picture, 0, 255).astype(np.uint8)
    for _ in range(int(rng.integers(0, 5))):
        _shape(canvas, rng)
    for _ in range(int(rng.choice([0, 2, 4, 8, 14]))):
        paste_thing(canvas, rng, 0.06, 0.5, photographs)
    if rng.random() < 0.25:
        _writing(canvas, rng)
    for _ in range(int(rng.choice([0, 1, 3], p=[0.6, 0.25, 0.15]))):
        _skin_coloured(canvas, rng)
    result = canvas.astype(np.float32)
    if rng.random() < 0.3:
        result = cv2.GaussianBlur(result, (0, 0), float(np.exp(rng.uniform(np.log(0.5), np.log(4.0)))))
    if rng.random() < 0.4:
        result *= 1 + 0.2 * noise(rng, height, width, 2)[..., None]
    return result


def _coloured(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    side = 160
    texture = random_texture(rng, side, side)
    tint = random_colour(rng) if rng.random() < 0.85 else skin_tone(rng)
    return cv2.resize(255 * tint * texture, (width, height), interpolation=cv2.INTER_LINEAR)


def _surface(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Draw one texture, seen at a slant."""
    picture = _coloured(rng, height, width)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + rng.uniform(-0.35, 0.35, (4, 2)).astype(np.float32) * (width, height)
    slant = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    return cv2.warpPerspective(picture, slant, (width, height), borderMode=cv2.BORDER_REFLECT_101)


def _room(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Draw a table or floor before a wall with rectangles.

    The rectangles may be cupboards, tiles or windows.
    """
    picture = _coloured(rng, height, width)
    edge = int(rng.uniform(0.05, 0.75) * height)
    table = _surface(rng, height, width)
    for _ in range(int(rng.integers(0, 7))):
        x, y = int(rng.uniform(-0.2, 1) * width), int(rng.uniform(-0.2, 0.8) * edge)
        right, bottom = x + int(rng.uniform(0.1, 0.5) * width), y + int(rng.uniform(0.1, 0.9) * height)
        colour = (255 * random_colour(rng)).tolist()
        cv2.rectangle(picture, (x, y), (right, bottom), colour, -1 if rng.random() < 0.7 else 2)
        cv2.rectangle(picture, (x, y), (right, bottom), [0.6 * value for value in colour], 1)
    slope = rng.normal(0, 0.12)
    line = np.arange(width) * slope + edge - slope * width / 2
    below = np.clip(np.arange(height)[:, None] - line[None], 0, 1).astype(np.float32)[..., None]
    return picture * (1 - below) + table * below


def _kitchen(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    seeds = KITCHENS["pretraining"]
    domain = EPIC if rng.random() < 0.5 else EGO4D
    drawn = draw_kitchen(int(rng.integers(seeds.start, seeds.stop)), domain)
    return cv2.resize(drawn, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32)


def _collage(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Draw pieces of many textures, like a shelf or a street."""
    picture = _coloured(rng, height, width)
    for _ in range(int(rng.integers(2, 7))):
        piece = _coloured(rng, height, width)
        count = int(rng.integers(3, 8))
        centre = rng.uniform(0, 1, 2) * (width, height)
        angles = np.sort(rng.uniform(0, 2 * np.pi, count))
        far = rng.uniform(0.1, 0.7, count) * max(width, height)
        corners = centre + far[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        mask = np.zeros((height, width), np.uint8)
        cv2.fillPoly(mask, [corners.astype(np.int32)], 1)
        picture = np.where(mask[..., None] > 0, piece, picture)
    return picture


def _shape(canvas: np.ndarray, rng: np.random.Generator) -> None:
    height, width = canvas.shape[:2]
    colour = (255 * random_colour(rng)).tolist()
    at = int(rng.uniform(0, width)), int(rng.uniform(0, height))
    size = rng.uniform(0.02, 0.35, 2) * width
    form = rng.random()
    thick = -1 if rng.random() < 0.6 else int(rng.integers(1, 6))
    if form < 0.4:
        axes = int(size[0] / 2) + 1, int(size[1] / 2) + 1
        cv2.ellipse(canvas, at, axes, float(rng.uniform(0, 180)), 0, 360, colour, thick, cv2.LINE_AA)
    elif form < 0.7:
        corners = cv2.boxPoints((at, (float(size[0]), float(size[1])), float(rng.uniform(0, 90))))
        cv2.polylines(canvas, [corners.astype(np.int32)], True, colour, abs(thick), cv2.LINE_AA)
        if thick < 0:
            cv2.fillPoly(canvas, [corners.astype(np.int32)], colour, cv2.LINE_AA)
    else:
        end = int(rng.uniform(0, width)), int(rng.uniform(0, height))
        cv2.line(canvas, at, end, colour, int(rng.integers(1, 14)), cv2.LINE_AA)


@functools.lru_cache(maxsize=2048)
def _layer(kind: str, instance: int) -> tuple[Layer, Layer]:
    layer = prepared(draw_object(kind, instance, _DRAWN))
    return layer, shadow(layer, 0.35)


def paste_thing(
    canvas: np.ndarray, rng: np.random.Generator, least: float, most: float, photographs: Photographs | None = None
) -> None:
    """Draw a thing at a random place, in place.

    It is a thing of the pocket world. With photographs, it is a photograph of a thing half the time.

    Args:
        canvas: uint8 ``[H, W, 3]``.
        rng: decides everything.
        least: least longer side of the thing, share of the canvas's longer side.
        most: largest longer side of the thing, share of the canvas's longer side.
        photographs: photographs with things.
    """
    height, width = canvas.shape[:2]
    if photographs is not None and rng.random() < 0.5:
        layer = photographs.things[int(rng.integers(len(photographs.things)))]
        dark = shadow(layer, 0.35)
    else:
        kind = KINDS[int(rng.integers(len(KINDS)))]
        layer, dark = _layer(kind, INSTANCES["pretraining"][int(rng.integers(24))])
    down, across = layer.opacity.shape
    scale = float(np.exp(rng.uniform(np.log(least), np.log(most)))) * max(height, width) / max(down, across)
    at = float(rng.uniform(0, width)), float(rng.uniform(0, height))
    anchor = across / 2, down / 2
    by = placement(anchor, at, scale, float(rng.uniform(-180, 180)), float(rng.uniform(0.6, 1.2)))
    if rng.random() < 0.5:
        paste(canvas, dark, by + np.array([[0, 0, 3.0], [0, 0, 4.0]]))
    paste(canvas, layer, by)


def _writing(canvas: np.ndarray, rng: np.random.Generator) -> None:
    height, width = canvas.shape[:2]
    x, y, size = rng.uniform(0, 0.7) * width, rng.uniform(0.05, 0.9) * height, rng.uniform(0.3, 1.4)
    colour = (255 * random_colour(rng)).tolist()
    for line in range(int(rng.integers(1, 6))):
        text = "".join(rng.choice(list(_LETTERS), int(rng.integers(2, 12))))
        at = int(x), int(y + 26 * line * size)
        cv2.putText(canvas, text, at, int(rng.integers(0, 8)), size, colour, int(rng.integers(1, 3)), cv2.LINE_AA)


def _skin_coloured(canvas: np.ndarray, rng: np.random.Generator) -> None:
    """Draw a face or a patch with the colour of skin."""
    height, width = canvas.shape[:2]
    tone = 255 * skin_tone(rng)
    at = np.array([rng.uniform(0, width), rng.uniform(0, height)])
    size = float(rng.uniform(0.05, 0.3)) * max(height, width)
    if rng.random() < 0.5:
        return _face(canvas, rng, at, size, tone)
    angles = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    far = size * 0.5 * np.clip(1 + 0.3 * rng.normal(size=14), 0.4, 1.8)
    outline = at + far[:, None] * np.stack([np.cos(angles), rng.uniform(0.3, 1) * np.sin(angles)], axis=1)
    _lit(canvas, outline, tone, rng)


def _face(canvas: np.ndarray, rng: np.random.Generator, at: np.ndarray, size: float, tone: np.ndarray) -> None:
    axes = np.array([0.38, 0.5]) * size
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    hair = (255 * random_colour(rng) * 0.6).tolist()
    centre = at.astype(int).tolist()
    above = (at - np.array([0, 0.12 * size])).astype(int).tolist()
    cv2.ellipse(canvas, above, (0.46 * size * np.ones(2)).astype(int).tolist(), 0, 0, 360, hair, -1, cv2.LINE_AA)
    _lit(canvas, at + axes * np.stack([np.cos(angles), np.sin(angles)], axis=1), tone, rng)
    for side in (-1, 1):
        eye = (at + np.array([side * 0.15 * size, -0.08 * size])).astype(int).tolist()
        cv2.ellipse(
            canvas, eye, (int(0.05 * size) + 1, int(0.025 * size) + 1), 0, 0, 360, (50, 40, 35), -1, cv2.LINE_AA
        )
    mouth = (at + np.array([0, 0.24 * size])).astype(int).tolist()
    red = (tone * (0.8, 0.5, 0.5)).tolist()
    cv2.ellipse(canvas, mouth, (int(0.12 * size) + 1, int(0.03 * size) + 1), 0, 0, 360, red, -1, cv2.LINE_AA)
    if rng.random() < 0.5:
        shoulders = (centre[0], int(at[1] + 1.05 * size))
        cloth = (255 * random_colour(rng)).tolist()
        cv2.ellipse(canvas, shoulders, (int(0.9 * size), int(0.55 * size)), 0, 180, 360, cloth, -1, cv2.LINE_AA)


def _lit(canvas: np.ndarray, outline: np.ndarray, tone: np.ndarray, rng: np.random.Generator) -> None:
    """Fill an outline with a colour that is lighter on one side."""
    height, width = canvas.shape[:2]
    left, top = np.maximum(np.floor(outline.min(axis=0)).astype(int), 0)
    right, bottom = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + 1, (width, height))
    if left >= right or top >= bottom:
        return
    mask = np.zeros((bottom - top, right - left), np.uint8)
    cv2.fillPoly(mask, [np.rint(outline - (left, top)).astype(np.int32)], 255, cv2.LINE_AA)
    ramp = np.linspace(-1, 1, right - left)[None] * rng.normal(0, 0.2)
    ramp = ramp + np.linspace(-1, 1, bottom - top)[:, None] * rng.normal(0, 0.2)
    alpha = mask[..., None] / 255.0
    part = canvas[top:bottom, left:right]
    part[:] = np.clip(part * (1 - alpha) + alpha * tone * (1 + ramp[..., None]), 0, 255).astype(np.uint8)
