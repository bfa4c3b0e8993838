"""CoOp: context vectors learned through the text tower (Zhou et al., 2022).

The vectors come before the class names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from data_manifests.errors import UsageError
from pipelines.methods.backbone import Backbone
from pipelines.methods.base import ClipBatch, Method, TextBank, stream_of
from pipelines.methods.blocks import FramePool, exact_float32, normalise, pool_frames
from pipelines.methods.prompts import PromptConfig, TextCache, context_start, encode_prompts, lay_out
from pipelines.methods.recipe import PAPER
from pipelines.methods.text_tower import tower_of

COOP_CODE = "CoOp's code (KaiyangZhou/CoOp), with Dassl's defaults"
"""Source of the settings of CoOp and CoCoOp."""

DASSL_SGD: dict[str, Any] = {
    "optimiser": "sgd",
    "lr": 2e-3,
    "weight_decay": 5e-4,
    "schedule": "cosine",
    "warmup_epochs": 1,
    "warmup_lr": 1e-5,
}
"""How CoOp and CoCoOp are trained in their own repository (KaiyangZhou/CoOp, with Dassl's defaults)."""


@dataclass(frozen=True)
class CoOpConfig(PromptConfig):
    """Settings of CoOp; the defaults are those of the official code (KaiyangZhou/CoOp).

    Raises:
        UsageError: a value is out of range.
    """

    context: int = field(default=16, metadata={"help": "M, learned vectors before the class name, for all classes"})
    ctx_init: str = field(
        default="", metadata={"help": "words of M tokens whose token vectors they start from; empty = N(0, 0.02²)"}
    )
    train_logit_scale: bool = field(default=False, metadata={"help": "learn the logit scale (X-MIC's copy does)"})
    frame_pool: FramePool = field(
        default="raw_then_norm",
        metadata={
            "help": "average raw frame vectors (raw_then_norm) or normalised ones (norm_then_norm)",
            "source": "X-MIC's released code; CoOp has one picture",
        },
    )

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        if self.context < 1:
            raise UsageError(f"context={self.context}: expected 1 or more.")


class CoOp(Method):
    """CoOp: learned context vectors before class names (Zhou et al., IJCV 2022).

    logits = τ · e_v · n(T([start; ctx; class; end]))ᵀ. The context ctx [M, W] is learned.

    The context is generic, one for all classes: class-specific contexts cannot be used with other label sets. The
    class name comes last. At evaluation ctx is combined with the tokens of the target's classes.

    Args:
        config: the settings.
        backbone: D, τ and the text tower.

    Raises:
        UsageError: ``ctx_init`` is not M tokens.
        InputError: there is no text tower.
    """

    name = "coop"
    splits_batches = True
    needs = frozenset({"frame_vectors", "text_tower"})
    config = CoOpConfig
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "official": {**DASSL_SGD, "batch": 32},
        "xmic-code": {"full_stop": False, "train_logit_scale": True},
        "paper": {**PAPER, "frame_pool": "norm_then_norm"},
    }
    sources: ClassVar[Mapping[str, str]] = {
        "official": COOP_CODE,
        "paper": "X-MIC paper, Sec. 4.2, which does not say how its baselines were trained",
    }
    setting_sources: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "paper": {"frame_pool": "X-MIC paper, Sec. 3.1: the average of normalised frame vectors"}
    }
    default_source = COOP_CODE

    def __init__(self, config: CoOpConfig, backbone: Backbone) -> None:
        """Initialise the context from words, or from N(0, 0.02²)."""
        super().__init__(config, backbone)
        self._config, self._tower = config, tower_of(self.name, backbone.text_tower)
        self.context = nn.Parameter(context_start(self._tower, self.name, config.context, config.ctx_init))
        self.logit_scale = nn.Parameter(
            torch.tensor(math.log(backbone.logit_scale)), requires_grad=config.train_logit_scale
        )
        self._prompts = TextCache(lambda text: lay_out(self._tower, text, config.context, full_stop=config.full_stop))
        self._encoded = TextCache(self._encode)

    def classifiers(self, text: TextBank) -> Tensor:
        """Compute the raw text vectors e_t under the learned context.

        Without gradients they are encoded once and kept.

        Returns:
            [C, D].

        Raises:
            InputError: see :func:`pipelines.methods.prompts.lay_out`.
        """
        if torch.is_grad_enabled():
            return self._encode(text)
        return self._encoded.of(text, self.context._version, self.context.device, self.context.dtype)

    def forward(self, batch: ClipBatch, text: TextBank) -> Tensor:
        """Compute the logits of a batch.

        Returns:
            [B, C] float32.

        Raises:
            InputError: the batch has no classified stream; see also :meth:`classifiers`.
        """
        frames, vectors = stream_of(self.name, batch, "frames"), self.classifiers(text)
        with exact_float32(vectors.device):
            video = pool_frames(frames, self._config.frame_pool)
            return self.logit_scale.exp() * video @ normalise(vectors.to(video.dtype)).T

    @torch.no_grad()
    def statistics(self, batch: ClipBatch, text: TextBank) -> dict[str, float]:
        """Return τ and the mean norms of text vectors and context.

        ``logit_scale`` is τ, ``text_norm`` the mean of ‖e_t‖, ``context_norm`` the mean norm of the learned vectors.
        """
        return {
            "logit_scale": self.logit_scale.exp().item(),
            "text_norm": self.classifiers(text).norm(dim=-1).mean().item(),
            "context_norm": self.context.norm(dim=-1).mean().item(),
        }

    def _encode(self, text: TextBank) -> Tensor:
        options: Any = {"class_chunk": self._config.class_chunk, "checkpointing": self._config.checkpointing}
        return encode_prompts(self._tower, self._prompts.of(text), self.context[None], share=True, **options)[0]
