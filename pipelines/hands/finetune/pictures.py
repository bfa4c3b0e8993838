"""What a hand model is trained or measured on."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Pictures(Protocol):
    """Labelled pictures that a model is trained or measured on."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the classes."""
        ...

    @property
    def digest(self) -> str:
        """sha256 (hex) of the pictures in their order, with their classes and boxes."""
        ...

    def __len__(self) -> int:
        """How many pictures."""
        ...

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Picture, boxes and classes: uint8 ``[H, W, 3]`` RGB, float32 ``[M, 4]`` shares, int64 ``[M]``."""
        ...
