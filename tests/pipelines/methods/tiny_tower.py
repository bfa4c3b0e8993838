"""A text tower that is small but whole, and classes to send through it."""

from __future__ import annotations

import functools
from typing import Any

import open_clip
import torch
from open_clip.tokenizer import SimpleTokenizer
from torch import nn

from pipelines.embed.encoders.open_clip_text import open_text_tower
from pipelines.methods.backbone import Backbone
from pipelines.methods.base import TextBank
from pipelines.methods.text_tower import TextTower

WIDTH, HEADS, LAYERS, DIM, SCALE = 8, 2, 2, 16, 20.0
TEXTS = ["cut", "wash the chopping board", "egg", "pour", "open jar", "knead dough"]


@functools.cache
def tokenizer() -> SimpleTokenizer:
    return SimpleTokenizer()


def network(
    custom: bool = False, quick_gelu: bool = True, seed: int = 0, embed_dim: int = DIM, **text: Any
) -> nn.Module:
    """An open_clip model in float64."""
    torch.manual_seed(seed)
    build = open_clip.CustomTextCLIP if custom else open_clip.CLIP
    vision = {"image_size": 8, "layers": 1, "width": 8, "head_width": 4, "patch_size": 8}
    text_cfg = {"context_length": 77, "vocab_size": 49408, "width": WIDTH, "heads": HEADS, "layers": LAYERS, **text}
    model: nn.Module = build(embed_dim=embed_dim, vision_cfg=vision, text_cfg=text_cfg, quick_gelu=quick_gelu)
    for name, parameter in model.named_parameters():
        # As far from zero as trained ones, so that every term of the equations is seen.
        if "positional" in name or "token_embedding" in name or name.endswith("bias"):
            nn.init.normal_(parameter, std=0.5)
    return model.double().eval()


@functools.cache
def shared_network() -> nn.Module:
    """One for all who do not change it."""
    return network()


def tower(model: nn.Module | None = None) -> TextTower:
    return open_text_tower(model or shared_network(), tokenizer(), "tiny")


def backbone(scale: float = SCALE) -> Backbone:
    return Backbone(DIM, DIM, scale, tower())


def single_backbone(seed: int = 0) -> Backbone:
    """In float32, as training has it."""
    return Backbone(DIM, DIM, SCALE, tower(network(seed=seed).float()))


def bank(texts: list[str] | None = None) -> TextBank:
    texts = TEXTS if texts is None else texts
    return TextBank(torch.zeros(len(texts), DIM), SCALE, [f"class {index}" for index in range(len(texts))], texts)


class Lookup:
    """A tower's size without its weights' cost: for counting parameters."""

    sot_token_id, eot_token_id = 49406, 49407

    def encode(self, text: str) -> list[int]:
        return [len(word) for word in text.split()]


def sized_tower(width: int, dim: int) -> TextTower:
    """As wide as ViT-B/16's, with no layers and a vocabulary of a few words."""
    transformer = nn.Module()
    transformer.resblocks = nn.ModuleList()
    words = nn.Embedding(16, width)
    parts = (nn.LayerNorm(width), torch.zeros(width, dim), torch.zeros(77, 77), Lookup())
    return TextTower("sized", words, torch.zeros(77, width), transformer, *parts)
