"""Build encoders of given widths without weights.

Methods on such encoders can be counted, but not run.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import torch
from torch import nn

from pipelines.methods.backbone import Backbone, Widths
from pipelines.methods.text_tower import TextTower
from pipelines.methods.visual_tower import VisualTower

_POSITIONS = 77
_HEAD, _PATCH = 64, 16  # of CLIP ViT-B/16; no parameter count depends on them


def weightless(widths: Widths) -> Backbone:
    """Build a backbone of given widths with both towers, without weights.

    Its tokenizer gives one token per word.
    """
    transformer = nn.Module()
    transformer.resblocks = nn.ModuleList()
    text = TextTower(
        "no weights",
        nn.Embedding(4, widths.text),
        torch.zeros(_POSITIONS, widths.text),
        transformer,
        nn.Identity(),
        torch.zeros(widths.text, widths.dim),
        torch.zeros(_POSITIONS, _POSITIONS),
        _Words(),
    )
    visual = SimpleNamespace(
        width=widths.visual,
        dim=widths.dim,
        layers=[None] * widths.visual_layers,
        heads=max(1, widths.visual // _HEAD),
        patch=_PATCH,
        size=_PATCH,
        tokens=2,
    )
    return Backbone(widths.dim, widths.dim_v2, 100.0, text, cast(VisualTower, visual))


class _Words:
    sot_token_id, eot_token_id = 1, 3

    def encode(self, text: str) -> list[int]:
        return [2] * len(text.split())
