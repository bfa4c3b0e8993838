"""What a method stands on: the widths and the temperature of the frozen encoders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.methods.visual_tower import VisualTower


@dataclass(frozen=True)
class Backbone:
    """The frozen encoders, as a method sees them.

    Attributes:
        dim: D, the joint width.
        dim_v2: D_II, the width of the conditioning streams.
        logit_scale: τ, the exponential of the value the encoder stores.
        text_tower: its text transformer; None where no method asks for it.
        visual_tower: its image transformer; None where no method asks for it.
    """

    dim: int
    dim_v2: int
    logit_scale: float
    text_tower: Any = None
    visual_tower: VisualTower | None = None
