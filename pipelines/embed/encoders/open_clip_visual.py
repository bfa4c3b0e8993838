"""Open the image transformer of an open_clip model.

Methods that learn from pixels pass gradients through it.
"""

from __future__ import annotations

from typing import Any

from open_clip.transformer import ResidualAttentionBlock, VisionTransformer

from data_manifests.errors import UsageError
from pipelines.methods.visual_tower import VisualTower


def open_visual_tower(visual: Any, mean: list[float], std: list[float], name: str) -> VisualTower:
    """Return the image tower of an open_clip model.

    Args:
        visual: ``model.visual``.
        mean: of the encoder's preprocessing, per channel.
        std: of the encoder's preprocessing, per channel.
        name: of the model, for messages.

    Raises:
        UsageError: the tower is not a plain vision transformer that is read at its class token.
    """
    if not isinstance(visual, VisionTransformer):
        problem = f"is a {type(visual).__name__}"
    elif visual.attn_pool is not None or visual.pool_type != "tok" or visual.proj is None:
        problem = "does not take its vector from the class token"
    elif not all(type(block) is ResidualAttentionBlock for block in visual.transformer.resblocks):
        problem = "has blocks of another form"
    else:
        return VisualTower(visual, mean, std)
    raise UsageError(
        f"{name}: its image tower {problem}; expected open_clip's VisionTransformer with a class token and plain "
        "blocks. Use a CLIP ViT, such as open_clip:ViT-B-16/openai, or a method that takes vectors: xmic, zero-shot."
    )
