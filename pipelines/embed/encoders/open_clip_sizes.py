"""Tell open_clip's models by the sizes of their tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import open_clip
from torch import Tensor


def models_of(state: Mapping[str, Tensor]) -> list[str]:
    """List open_clip's models whose sizes are those of a state dict.

    It must have an image transformer. Sizes are the joint width, the transformer's width, layers, patch and input
    side, and the text width.
    """
    tower = {name.removeprefix("visual."): value for name, value in state.items() if name.startswith("visual.")}
    text = state.get("text_projection", state.get("text.text_projection"))
    try:
        joint, grid = text.shape, tower["positional_embedding"].shape[0] - 1  # type: ignore[union-attr]
        width, _, patch, _ = tower["conv1.weight"].shape
    except (KeyError, AttributeError, ValueError):
        return []
    layers = len({name.split(".")[2] for name in tower if name.startswith("transformer.resblocks.")})
    wanted = (joint[1], width, layers, patch, round(grid**0.5) * patch, joint[0])
    return [name for name in open_clip.list_models() if _sizes(open_clip.get_model_config(name)) == wanted]


def _sizes(config: dict[str, Any]) -> tuple[Any, ...]:
    vision, text = config["vision_cfg"], config["text_cfg"]
    image = vision.get("image_size", 224)
    sizes = (vision.get("width"), vision.get("layers"), vision.get("patch_size"), image, text.get("width"))
    return (config["embed_dim"], *sizes)
