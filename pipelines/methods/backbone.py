"""What a method stands on: the widths and the temperature of the frozen encoders."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Backbone:
    """The frozen encoders, as a method sees them.

    Attributes:
        dim: D, the joint width.
        dim_v2: D_II, the width of the conditioning streams.
        logit_scale: τ, the exponential of the value the encoder stores.
    """

    dim: int
    dim_v2: int
    logit_scale: float


@dataclass(frozen=True)
class Widths:
    """The widths that decide how many parameters a method trains.

    Attributes:
        dim: D, the joint width.
        dim_v2: D_II, the width of the conditioning streams.
        text: W_t, the width inside the text transformer.
    """

    dim: int = 512
    dim_v2: int = 512
    text: int = 512
