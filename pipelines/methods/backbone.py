"""Frozen encoders as a method sees them, and their widths.

A backbone holds the widths, the logit scale τ, and the towers for methods that learn through them.
"""

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
        visual_tower: the image transformer, for methods that learn through it.
    """

    dim: int
    dim_v2: int
    logit_scale: float
    text_tower: TextTower | None = None
    visual_tower: VisualTower | None = None


@dataclass(frozen=True)
class Widths:
    """Widths that decide how many parameters a method trains.

    The defaults are those of CLIP ViT-B/16.

    Attributes:
        dim: D, the joint width.
        dim_v2: D_II, the width of the conditioning streams.
        text: W_t, the width inside the text transformer.
        visual: W_v, the width inside the image transformer.
        visual_layers: number of layers of the image transformer.
    """

    dim: int = 512
    dim_v2: int = 512
    text: int = 512
    visual: int = 768
    visual_layers: int = 12
