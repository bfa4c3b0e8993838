"""Fit frames into a network's input, and boxes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

PAD = 114
"""Grey level of the letterbox's bars, of 255: the value with which Ultralytics trains."""


@dataclass(frozen=True)
class Letterbox:
    """Place of a frame in the smallest input that holds it.

    All values are in pixels of the input.

    Attributes:
        width: width of the input.
        height: height of the input.
        inner_width: width of the frame in it.
        inner_height: height of the frame in it.
    """

    width: int
    height: int
    inner_width: int
    inner_height: int

    @classmethod
    def of(cls, width: int, height: int, size: int, stride: int) -> Letterbox:
        """Fit a frame into the smallest rectangle of whole strides.

        Small frames are scaled up too. It is the rectangle of Ultralytics' LetterBox with ``auto``.

        Args:
            width: the frame's width, pixels.
            height: the frame's height, pixels.
            size: longer side of the frame in the input, pixels.
            stride: coarsest step of the network, pixels.
        """
        ratio = min(size / width, size / height)
        inner_width, inner_height = max(round(width * ratio), 1), max(round(height * ratio), 1)
        around = [-(-side // stride) * stride for side in (inner_width, inner_height)]
        return cls(around[0], around[1], inner_width, inner_height)

    @property
    def left(self) -> int:
        """Width of the bar to the left of the frame."""
        # The 0.1 decides, as in Ultralytics, on which side an odd bar is one pixel wider.
        return round((self.width - self.inner_width) / 2 - 0.1)

    @property
    def top(self) -> int:
        """Height of the bar above the frame."""
        return round((self.height - self.inner_height) / 2 - 0.1)

    def draw(self, image: np.ndarray, slot: np.ndarray) -> None:
        """Draw the frame into its input.

        Args:
            image: uint8 [H, W, 3].
            slot: uint8 [height, width, 3], already grey; the frame is written into it.
        """
        if (self.inner_height, self.inner_width) != image.shape[:2]:
            image = cv2.resize(image, (self.inner_width, self.inner_height), interpolation=cv2.INTER_LINEAR)
        slot[self.top : self.top + self.inner_height, self.left : self.left + self.inner_width] = image


def to_frames(corners: torch.Tensor, frame: torch.Tensor, places: Sequence[Letterbox]) -> torch.Tensor:
    """Convert corners in inputs to shares of their frames.

    Args:
        corners: [N, 4] in pixels of the input.
        frame: [N], number of the frame of each box.
        places: places of the frames in their inputs.

    Returns:
        [N, 4] normalised to the frame and clipped to [0, 1], on the device of the corners.
    """
    offsets = [[place.left, place.top] * 2 for place in places]
    extents = [[place.inner_width, place.inner_height] * 2 for place in places]
    offset, extent = (torch.tensor(of, dtype=torch.float32, device=corners.device) for of in (offsets, extents))
    return ((corners - offset[frame]) / extent[frame]).clamp(0, 1)
