"""Small towers for the tests of what stands on them."""

from __future__ import annotations

import torch
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn

from pipelines.methods.visual_tower import VisualTower

MEAN, STD = [0.5, 0.4, 0.3], [0.2, 0.3, 0.4]


def transformer(**options) -> VisionTransformer:
    """Pictures of 16 × 16, four patches, with weights that leave nothing near zero."""
    torch.manual_seed(1)
    sizes = {"image_size": 16, "patch_size": 8, "width": 24, "layers": 3, "heads": 4, "mlp_ratio": 4.0}
    visual = VisionTransformer(**{**sizes, "output_dim": 10, **options})
    for parameter in visual.parameters():
        nn.init.normal_(parameter, std=0.2)
    return visual


def run(tower: VisualTower, pictures: Tensor) -> Tensor:
    """All layers, without prompts: what the model itself gives."""
    x = tower.stem(pictures, torch.zeros(1, 1, tower.width))
    for layer in tower.layers:
        x = layer.feed(layer.attend(x, x[:, :0]))
    return tower.project(x[:, 0])
