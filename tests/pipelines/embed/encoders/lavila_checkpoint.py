"""A small checkpoint in the layout of the official ones: for tests of what reads it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipelines.embed.encoders.lavila_network import DualEncoder, Sizes

MODEL = "CLIP_OPENAI_TIMESFORMER_BASE"
SIZES = Sizes(
    width=128,
    layers=2,
    patch=112,
    patches=4,
    frames=4,
    dim=32,
    text_width=64,
    text_layers=1,
    context=77,
    vocabulary=49408,
)


def random_state(sizes: Sizes = SIZES) -> dict[str, Tensor]:
    """Tensors under their official names, none of them zero or one, so that a forgotten one shows."""
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in DualEncoder(sizes).state_dict().items()}
    random = torch.Generator().manual_seed(0)
    state = {name: torch.randn(shape, generator=random) / 8 for name, shape in shapes.items()}
    # So many pixels would drown the positions.
    state["visual.patch_embed.proj.weight"] /= 3**0.5 * sizes.patch
    state["logit_scale"] = torch.tensor(1 / 0.07).log()
    return state


def write_checkpoint(
    file: Path, state: dict[str, Tensor] | None = None, arguments: dict[str, Any] | None = None, **other: Any
) -> Path:
    """A checkpoint as the official training saves it."""
    said = {"model": MODEL, "project_embed_dim": SIZES.dim, "dataset": "ego4d", "norm_embed": True, "gpu": 0}
    content = {
        "epoch": 3,
        "state_dict": {f"module.{name}": value for name, value in (state or random_state()).items()},
        "best_acc1": 0.36,
        "args": argparse.Namespace(**{**said, **(arguments or {})}),
        **other,
    }
    torch.save(content, file)
    return file
