"""Make training batches from labelled pictures.

Pictures are put into mosaics, scaled, placed, mirrored and recoloured.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from pipelines.hands.finetune.pictures import Pictures
from pipelines.hands.hand_classes import class_side
from pipelines.hands.letterbox import PAD

Restyle = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""Function that redraws a picture, uint8 ``[H, W, 3]`` RGB, in another style; the generator chooses the style."""

_LEAST_LEFT = 0.3  # of a box's area that must lie in the picture
_LEAST_SIDE = 3.0  # pixels


@dataclass(frozen=True)
class Stage:
    """Part of a training with its own input size and mosaics.

    Attributes:
        until: end of the part, a share of the training.
        image_size: side of the square input, pixels.
        mosaic: share of the inputs that are put together from four pictures.
        style: share of the inputs that are redrawn in another style.
    """

    until: float
    image_size: int
    mosaic: float
    style: float = 0.0


@dataclass(frozen=True)
class Batch:
    """Batch of images and boxes, as the network's loss takes them.

    Attributes:
        images: uint8 ``[B, 3, S, S]``.
        owner: index of the image of each box, float32 ``[N]``.
        classes: class of each box, float32 ``[N, 1]``.
        boxes: centre and size as shares of the input, float32 ``[N, 4]``.
    """

    images: torch.Tensor
    owner: torch.Tensor
    classes: torch.Tensor
    boxes: torch.Tensor


class Batches(torch.utils.data.Dataset[Batch]):
    """Batches of a training, made by their step.

    The same arguments give the same batch, so a checkpoint needs none of their state.
    """

    def __init__(self, pictures: Pictures, seed: int, batch: int, stage: Stage, restyle: Restyle | None = None) -> None:
        if stage.style and restyle is None:
            raise ValueError(f"a stage shows {stage.style:g} of its inputs in another style, and no style is given")
        self._pictures, self._seed, self._batch, self._stage = pictures, seed, batch, stage
        self._restyle = restyle
        self._mirrored = mirrored_classes(pictures.names)

    def __getitem__(self, step: int) -> Batch:
        """Make the batch of a step.

        Steps are counted over the whole training from 0.
        """
        cv2.setNumThreads(1)
        made = [self._input(step * self._batch + place) for place in range(self._batch)]
        images = np.stack([image for image, _, _ in made])
        counts = [len(classes) for _, _, classes in made]
        boxes = np.concatenate([boxes for _, boxes, _ in made]) / self._stage.image_size
        centred = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)
        return Batch(
            torch.from_numpy(images).permute(0, 3, 1, 2),
            torch.from_numpy(np.repeat(np.arange(self._batch), counts).astype(np.float32)),
            torch.from_numpy(np.concatenate([classes for _, _, classes in made]).astype(np.float32))[:, None],
            torch.from_numpy(centred.astype(np.float32)),
        )

    def _input(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Make input ``number`` of the training: image, boxes in its pixels, classes."""
        rng = np.random.default_rng((self._seed, number, 5))
        size = self._stage.image_size
        epoch, place = divmod(number, len(self._pictures))
        first = int(_order(self._seed, epoch, len(self._pictures))[place])
        canvas = np.full((size, size, 3), PAD, np.uint8)
        if rng.random() >= self._stage.mosaic:
            boxes, classes = self._lay(canvas, first, rng, (0, 0, size, size))
        else:
            x, y = (int(value) for value in rng.uniform(0.3, 0.7, 2) * size)
            parts = [(0, 0, x, y), (x, 0, size, y), (0, y, x, size), (x, y, size, size)]
            chosen = [first, *rng.integers(len(self._pictures), size=3).tolist()]
            laid = [self._lay(canvas, one, rng, part) for one, part in zip(chosen, parts, strict=True)]
            boxes = np.concatenate([boxes for boxes, _ in laid])
            classes = np.concatenate([classes for _, classes in laid])
        shown = _coloured(canvas, rng)
        if self._restyle is not None and rng.random() < self._stage.style:
            shown = self._restyle(shown, rng)
        return shown, boxes, classes

    def _lay(
        self, canvas: np.ndarray, index: int, rng: np.random.Generator, part: tuple[int, int, int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw a picture into a part (left, top, right, bottom) of the canvas.

        Returns the boxes that are left of it, and their classes.
        """
        picture, boxes, classes = self._pictures.read(index)
        height, width = picture.shape[:2]
        left, top, right, bottom = part
        if rng.random() < 0.5:
            picture = picture[:, ::-1]
            boxes = np.stack([1 - boxes[:, 2], boxes[:, 1], 1 - boxes[:, 0], boxes[:, 3]], axis=1)
            classes = self._mirrored[classes]
        whole = (right - left, bottom - top) == canvas.shape[:2]
        fitting = min((right - left) / width, (bottom - top) / height)
        # In a mosaic a picture fills its part and loses its edges; alone it stays whole or nearly so.
        grown = rng.uniform(0.7, 1.25) if whole else rng.uniform(0.9, 2.0)
        scale = fitting * grown
        room = np.array([right - left - scale * width, bottom - top - scale * height])
        start = np.array([left, top]) + rng.uniform(0, 1, 2) * room
        by = np.array([[scale, 0, start[0] - left], [0, scale, start[1] - top]])
        how = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR
        drawn = cv2.warpAffine(
            np.ascontiguousarray(picture), by, (right - left, bottom - top), flags=how, borderValue=(PAD,) * 3
        )
        canvas[top:bottom, left:right] = drawn
        whole_boxes = boxes * (scale * np.array([width, height, width, height])) + np.tile(start, 2)
        cut = np.clip(whole_boxes, (left, top, left, top), (right, bottom, right, bottom))
        sides, before = cut[:, 2:] - cut[:, :2], whole_boxes[:, 2:] - whole_boxes[:, :2]
        kept = (sides.min(axis=1) >= _LEAST_SIDE) & (sides.prod(1) >= _LEAST_LEFT * before.prod(1))
        return cut[kept], classes[kept]


@functools.lru_cache(maxsize=2)
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng((seed, epoch)).permutation(count)


def mirrored_classes(names: tuple[str, ...]) -> np.ndarray:
    """Map each class to its class in a mirrored picture.

    A left hand becomes a right one, and the reverse.

    Returns:
        int64 ``[C]``.
    """
    sides = [class_side(name) for name in names]
    pair = [sides.index(side) if sides.count(side) == 1 else None for side in ("left", "right")]
    found = np.arange(len(names))
    if pair[0] is not None and pair[1] is not None:
        found[pair[0]], found[pair[1]] = pair[1], pair[0]
    return found


def _coloured(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change light and colours at random."""
    if rng.random() < 0.04:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        return np.asarray(cv2.merge([grey] * 3))
    hue, saturation, value = rng.uniform(-1, 1, 3) * (7, 0.4, 0.3)
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    levels = np.arange(256)
    tables = [(levels + hue) % 180, levels * (1 + saturation), levels * (1 + value)]
    table = np.stack([np.clip(one, 0, 255).astype(np.uint8) for one in tables], axis=1)[:, None]
    return np.asarray(cv2.cvtColor(cv2.LUT(hsv, table.reshape(1, 256, 3)), cv2.COLOR_HSV2RGB))
