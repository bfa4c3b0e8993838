"""A method of your own in one file: zero-shot CLIP whose clip vector is first corrected by a small learned map.

    export PYTHONPATH=examples
    xmic check-plugin my_method:Corrected
    xmic train --method my_method:Corrected --set rank=8 --set epochs=5

Nothing in xmic has to know of it: runs, evaluations, reports and `xmic methods my_method:Corrected` take it like
any other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from data_manifests.errors import UsageError
from pipelines.methods.backbone import Backbone
from pipelines.methods.base import ClipBatch, Method, TextBank, stream_of
from pipelines.methods.blocks import exact_float32, normalise, pool_frames


@dataclass(frozen=True)
class CorrectedConfig:
    """Every setting has a default and a help text; `--set rank=8` and presets change it."""

    rank: int = field(default=16, metadata={"help": "rank of the learned map"})

    def __post_init__(self) -> None:
        """Refuse what cannot work, in words."""
        if self.rank < 1:
            raise UsageError(f"corrected: rank={self.rank}: expected 1 or more.")


class Corrected(Method):
    """logits = τ · n(v + U·V·v) · n(e_t)ᵀ for the mean frame vector v; U is 0 at first: step 0 is zero-shot CLIP."""

    name = "corrected"
    needs = frozenset({"frame_vectors", "text_vectors"})
    config = CorrectedConfig
    presets: ClassVar[dict[str, dict[str, Any]]] = {"official": {}, "small": {"rank": 4, "lr": 1e-3}}
    sources: ClassVar[dict[str, str]] = {"official": "made up for this example", "small": "made up for this example"}

    def __init__(self, config: CorrectedConfig, backbone: Backbone) -> None:
        """What has requires_grad is trained and saved; torch's generator is seeded by the run."""
        super().__init__(config, backbone)
        self.down = nn.Parameter(torch.randn(backbone.dim, config.rank) * backbone.dim**-0.5)
        self.up = nn.Parameter(torch.zeros(config.rank, backbone.dim))

    def forward(self, batch: ClipBatch, text: TextBank) -> Tensor:
        """Logits [B, C]; frames [B, N, D] and text vectors [C, D] come raw, C may differ at evaluation."""
        frames = stream_of(self.name, batch, "frames")
        with exact_float32(frames.device):
            video = pool_frames(frames, "norm_then_norm")
            corrected = normalise(video + video @ self.down @ self.up)
            return text.logit_scale * corrected @ normalise(text.vectors.float()).T

    def statistics(self, batch: ClipBatch, text: TextBank) -> dict[str, float]:
        """Goes to metrics.jsonl after every epoch."""
        return {"correction_norm": (self.down @ self.up).norm().item()}
