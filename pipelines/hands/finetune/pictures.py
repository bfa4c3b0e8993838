"""Pictures that a hand model is trained or measured on."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Pictures(Protocol):
    """Labelled pictures that a model is trained or measured on."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes."""
        ...

    @property
    def digest(self) -> str:
        """Return the sha256 (hex) of pictures, classes and boxes, in order."""
        ...

    def __len__(self) -> int:
        """Return the number of pictures."""
        ...

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Read one picture with its boxes and classes.

        Returns:
            The picture, uint8 ``[H, W, 3]`` RGB; its boxes as shares, float32 ``[M, 4]``; their classes, int64 ``[M]``.
        """
        ...
