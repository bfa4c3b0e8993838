"""Small towers for the tests of what stands on them, and a small Vita-CLIP on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from open_clip.transformer import QuickGELU, VisionTransformer
from torch import Tensor, nn

from pipelines.methods.backbone import Backbone
from pipelines.methods.base import ClipBatch, TextBank, build_method
from pipelines.methods.text_tower import TextTower
from pipelines.methods.visual_tower import VisualTower
from pipelines.methods.vita_clip import VitaCLIP, VitaCLIPConfig

SMALL: dict[str, Any] = {"segments": 4, "frames": 4, "global_prompts": 2, "context": 3}
NAMES = ["cut", "open the jar", "stir"]
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


class SmallTextTower(TextTower):
    """Letters are tokens, 1 starts and 99 ends a text; a text's vector sums over all that stands up to its end."""

    def __init__(self, width: int = 6, dim: int = 10) -> None:
        self.width, self.layers, draw = width, 1, torch.Generator().manual_seed(3)
        self.table = torch.randn(100, width, generator=draw, dtype=torch.float64)
        self.matrix = torch.randn(width, dim, generator=draw, dtype=torch.float64)

    def tokens(self, texts: list[str], learned: int = 0) -> Tensor:
        rows = [[1, *(2 + ord(letter) % 90 for letter in text), 99] for text in texts]
        return torch.tensor([row + [0] * (max(map(len, rows)) - len(row)) for row in rows])

    def embed(self, tokens: Tensor) -> Tensor:
        return self.table[tokens].to(torch.get_default_dtype())

    def encode(self, embeddings: Tensor, eot: Tensor, length: int | None = None) -> Tensor:
        place = torch.arange(embeddings.shape[1], device=embeddings.device)
        weight = (place + 1) * (place <= eot[:, None])
        return torch.tanh((embeddings * weight[..., None]).sum(1) / 20) @ self.matrix.to(embeddings.dtype)


def backbone(dtype: torch.dtype = torch.float32, scale: float = 50.0, **options: Any) -> Backbone:
    visual = VisualTower(transformer(act_layer=QuickGELU, **options).to(dtype), MEAN, STD)
    return Backbone(10, 10, scale, SmallTextTower(), visual)


def make(seed: int = 0, base: Backbone | None = None, **config: Any) -> VitaCLIP:
    method = build_method(VitaCLIP, VitaCLIPConfig(**{**SMALL, **config}), base or backbone(), seed)
    assert isinstance(method, VitaCLIP)
    return method


def world(clips: int = 2, frames: int = 4, seed: int = 0) -> tuple[ClipBatch, TextBank]:
    rng = np.random.default_rng(seed)
    pixels = torch.from_numpy(rng.integers(0, 256, (clips, frames, 3, 16, 16), np.uint8))
    return ClipBatch(pixels=pixels), TextBank(torch.randn(len(NAMES), 10), 50.0, NAMES, NAMES)
