"""What a method stands on: the widths and the temperature of the frozen encoders, and their towers where it asks."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.methods.text_tower import TextTower
from pipelines.methods.visual_tower import VisualTower


@dataclass(frozen=True)
class Backbone:
    """The frozen encoders, as a method sees them.

    Attributes:
        dim: D, the joint width.
        dim_v2: D_II, the width of the conditioning streams.
        logit_scale: τ, the exponential of the value the encoder stores.
        text_tower: the text transformer, for methods that learn through it.
        visual_tower: the image transformer, likewise.
    """

    dim: int
    dim_v2: int
    logit_scale: float
    text_tower: TextTower | None = None
    visual_tower: VisualTower | None = None
