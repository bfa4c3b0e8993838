"""Letterbox frames into the batches of a YOLO network.

On CUDA frames are copied as they are and drawn on the device, by OpenCV's own arithmetic: the pixels are equal to the
bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any, Protocol, TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor

from pipelines.engine.feed import Feed, Lanes
from pipelines.hands.letterbox import PAD, Letterbox

_WEIGHT = 2048
"""OpenCV's unit of a weight between two pixels of 8 bits."""

Found = TypeVar("Found")
Run = Callable[[Tensor], Any]


class YoloInput(Protocol):
    """Way of frames into a network's batches."""

    def begin(
        self,
        images: Sequence[np.ndarray],
        places: Sequence[Letterbox],
        run: Run,
        take: Callable[[Any], Found],
    ) -> Callable[[], Found]:
        """Begin a batch of frames.

        Args:
            images: up to a batch of RGB frames, uint8 [H, W, 3].
            places: their places in inputs of one shape.
            run: network: float32 [B, 3, height, width], 0 to 1 → output.
            take: reads the output.

        Returns:
            A function that waits for the result.
        """
        ...


class HostInput:
    """Frames drawn on the host, a :class:`YoloInput`.

    Args:
        lanes: of the network's device.
        batch_size: frames per batch.
        dtype: float32 or bfloat16, to which the network's first layer would round its input.
    """

    def __init__(self, lanes: Lanes, batch_size: int, dtype: torch.dtype = torch.float32) -> None:
        self._lanes, self._batch_size = lanes, batch_size
        self._levels = torch.arange(256).float().div_(255).to(dtype)
        self._feeds: dict[tuple[int, int], Feed] = {}

    def begin(
        self, images: Sequence[np.ndarray], places: Sequence[Letterbox], run: Run, take: Callable[[Any], Found]
    ) -> Callable[[], Found]:
        """Begin a batch of frames."""
        shape = places[0].height, places[0].width
        feed = self._feeds.get(shape)
        if feed is None:
            feed = self._feeds[shape] = Feed(self._lanes, (self._batch_size, *shape, 3), torch.uint8)

        def fill(batch: Tensor) -> None:
            batch.fill_(PAD)
            for slot, image, place in zip(batch.numpy(), images, places, strict=False):
                place.draw(image, slot)

        return feed.begin(fill, lambda batch: run(self._pixels(batch)), take)

    def _pixels(self, batch: Tensor) -> Tensor:
        """Scale a batch as :func:`_pixels` does, in the type of the levels."""
        if batch.device.type != "cpu":
            return _pixels(batch).to(self._levels.dtype)
        # OpenCV looks the levels up, 2 or 4 bytes each; it knows no bfloat16.
        same_size = {2: torch.int16, 4: torch.float32}[self._levels.element_size()]
        found = cv2.LUT(batch.numpy().reshape(-1, *batch.shape[2:]), self._levels.view(same_size).numpy())
        return torch.from_numpy(found).view(self._levels.dtype).view(batch.shape).permute(0, 3, 1, 2)


class DeviceInput:
    """Frames drawn on the device, a :class:`YoloInput`."""

    def __init__(self, lanes: Lanes, batch_size: int) -> None:
        self._lanes, self._batch_size = lanes, batch_size
        self._feed: Feed | None = None
        self._room = 0

    def begin(
        self, images: Sequence[np.ndarray], places: Sequence[Letterbox], run: Run, take: Callable[[Any], Found]
    ) -> Callable[[], Found]:
        """Begin a batch of frames."""
        largest = max(image.size for image in images)
        if self._feed is None or self._room < largest:
            self._feed, self._room = Feed(self._lanes, (self._batch_size * largest,), torch.uint8), largest
        shapes = [image.shape for image in images]

        def fill(bytes_of_all: Tensor) -> None:
            start = 0
            for image in images:
                bytes_of_all[start : start + image.size] = torch.from_numpy(np.ascontiguousarray(image).reshape(-1))
                start += image.size

        def drawn(bytes_of_all: Tensor) -> Any:
            shape = (self._batch_size, places[0].height, places[0].width, 3)
            batch = torch.full(shape, PAD, dtype=torch.uint8, device=bytes_of_all.device)
            number = start = 0
            for shape_of, same in groupby(zip(shapes, places, strict=True)):
                count, (size, place) = len(list(same)), shape_of
                pictures = bytes_of_all[start : start + count * int(np.prod(size))].view(count, *size)
                rows = slice(place.top, place.top + place.inner_height)
                columns = slice(place.left, place.left + place.inner_width)
                batch[number : number + count, rows, columns] = resized(pictures, place.inner_width, place.inner_height)
                number, start = number + count, start + pictures.numel()
            return run(_pixels(batch))

        return self._feed.begin(fill, drawn, take)


def input_of(device: torch.device, lanes: Lanes, batch_size: int, dtype: torch.dtype) -> YoloInput:
    """Return the way of frames that is fast on a device.

    ``dtype`` is that of the network's products: float32, bfloat16 or float16.
    """
    return DeviceInput(lanes, batch_size) if device.type == "cuda" else HostInput(lanes, batch_size, dtype)


def resized(pictures: Tensor, width: int, height: int) -> Tensor:
    """Resize pictures bilinearly, as OpenCV does, on their device.

    OpenCV weights pixels of 8 bits by whole numbers of 1/2048, and cuts off bits between columns and rows.

    Args:
        pictures: uint8 [n, H, W, 3].
        width: of the result, pixels.
        height: of the result, pixels.

    Returns:
        uint8 [n, height, width, 3], equal to ``cv2.resize`` with ``INTER_LINEAR``.
    """
    if (height, width) == tuple(pictures.shape[1:3]):
        return pictures
    left, right, left_weight, right_weight = _between(width, pictures.shape[2], True, pictures.device)
    above, below, above_weight, below_weight = _between(height, pictures.shape[1], False, pictures.device)
    whole = pictures.int()
    across = whole[:, :, left] * left_weight[:, None] + whole[:, :, right] * right_weight[:, None]
    across >>= 4
    down = (across[:, above] * above_weight[:, None, None]) >> 16
    down += (across[:, below] * below_weight[:, None, None]) >> 16
    return ((down + 2) >> 2).clamp_(0, 255).to(torch.uint8)


@lru_cache(maxsize=64)
def _between(size: int, of: int, one_at_edges: bool, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Find the two pixels that each new one lies between, and their weights.

    Args:
        size: new pixels.
        of: old pixels.
        one_at_edges: beyond the centre of an outer pixel that pixel alone counts; else it counts by both weights, which
            OpenCV does between rows.
        device: of the results.
    """
    at = ((np.arange(size) + 0.5) * (of / size) - 0.5).astype(np.float32)
    first = np.floor(at).astype(np.int64)
    share = at - first.astype(np.float32)
    if one_at_edges:
        share[(first < 0) | (first >= of - 1)] = 0
    weights = [np.rint(part * np.float32(_WEIGHT)).astype(np.int32) for part in (np.float32(1) - share, share)]
    places = [np.clip(first + step, 0, of - 1) for step in (0, 1)]
    left, right, left_weight, right_weight = (torch.from_numpy(array).to(device) for array in (*places, *weights))
    return left, right, left_weight, right_weight


def _pixels(batch: Tensor) -> Tensor:
    """Scale a batch to 0 to 1; uint8 [B, H, W, 3] → float32 [B, 3, H, W] with channels last in memory."""
    return batch.permute(0, 3, 1, 2).float().div_(255)
