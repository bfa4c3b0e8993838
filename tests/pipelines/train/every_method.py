"""Every method that learns, small: for what the training loop promises of all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from pipelines.methods import METHODS, load_method
from pipelines.methods.base import ClipBatch, Method, TextBank, build_method
from pipelines.methods.recipe import Recipe
from tests.pipelines.methods import small_towers, tiny_tower
from tests.pipelines.methods.tiny_tower import DIM, TEXTS

SEGMENTS, CLIPS = 4, 21
LEARNING = [name for name in METHODS if name != "zero-shot"]
RECIPE = Recipe(epochs=2, batch=4, lr=1e-3, warmup_epochs=0)

_SEGMENTED: dict[str, Any] = {"segments": SEGMENTS, "heads": 2}
_PROMPTS: dict[str, Any] = {**_SEGMENTED, "prefix": 2, "postfix": 2, "contrast_classes": 5}
_SETTINGS: dict[str, dict[str, Any]] = {
    "xmic": _SEGMENTED,
    "late-fusion": _SEGMENTED,
    "clip-adapter": {},
    "clip-adapter-temporal": _SEGMENTED,
    "coop": {"context": 2},
    "cocoop": {"context": 2, "ctx_init": ""},
    "a5": _PROMPTS,
    "a6": _PROMPTS,
}


def make(name: str, **settings: Any) -> Method:
    """The method with its initial weights, the same at every call."""
    if name == "vita-clip":
        return small_towers.make(**settings)
    method_class = load_method(name)
    config = method_class.config(**{**_SETTINGS[name], **settings})
    return build_method(method_class, config, tiny_tower.single_backbone(), seed=0)


class RandomClips:
    """Vectors drawn once, or pictures."""

    def __init__(self, pixels: bool, classes: int, clips: int) -> None:
        self.labels = np.arange(clips) % classes
        draw = torch.Generator().manual_seed(1)
        if pixels:
            shape = (clips, SEGMENTS, 3, 16, 16)
            self._parts = {"pixels": torch.randint(256, shape, generator=draw, dtype=torch.uint8)}
        else:
            roles = ("frames", "hand", "full")
            self._parts = {role: torch.randn(clips, SEGMENTS, DIM, generator=draw) for role in roles}

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: np.ndarray, epoch: int) -> ClipBatch:
        return ClipBatch(**{role: part[torch.from_numpy(indices)] for role, part in self._parts.items()})


def world(name: str, clips: int = CLIPS) -> tuple[RandomClips, TextBank]:
    """Clips and classes that suit the method."""
    pixels = name == "vita-clip"
    names = small_towers.NAMES if pixels else TEXTS
    draw = torch.Generator().manual_seed(2)
    text = TextBank(torch.randn(len(names), 10 if pixels else DIM, generator=draw), 20.0, names, names)
    return RandomClips(pixels, len(names), clips), text
