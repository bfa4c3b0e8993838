"""CoCoOp: a learned context shifted by each clip (Zhou et al., 2022)."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from data_manifests.errors import UsageError
from pipelines.methods.backbone import Backbone
from pipelines.methods.base import ClipBatch, Method, TextBank, stream_of
from pipelines.methods.blocks import at_least_float32, exact_float32, normalise, pool_frames
from pipelines.methods.coop import COOP_CODE, DASSL_SGD, CoOp, CoOpConfig
from pipelines.methods.prompts import TextCache, context_start, encode_prompts, lay_out
from pipelines.methods.recipe import PAPER
from pipelines.methods.text_tower import tower_of

_REDUCTION = 16
"""D over the hidden width of the meta-net."""


@dataclass(frozen=True)
class CoCoOpConfig(CoOpConfig):
    """Settings of CoCoOp: those of CoOp, and the meta-net's.

    The defaults are those of the official cross-dataset runs (KaiyangZhou/CoOp).

    Raises:
        UsageError: a value is out of range.
    """

    context: int = field(default=4, metadata={"help": "M, learned vectors before the class name, for all classes"})
    ctx_init: str = field(
        default="a photo of a",
        metadata={"help": "words of M tokens whose token vectors they start from; empty = N(0, 0.02²)"},
    )
    meta_input: Literal["normalised", "raw"] = field(
        default="normalised",
        metadata={"help": "what the meta-net reads: e_v as it is classified, or the mean of raw frame vectors"},
    )


class CoCoOp(Method):
    """CoCoOp: context vectors shifted by each clip (Zhou et al., CVPR 2022).

    logit_{b,t} = τ · e_{v,b} · n(T([start; ctx + π(g_b); class_t; end])). The context ctx [M, W] and the meta-net π are
    learned.

    The same shift π(g_b) is added to all M vectors. Every clip has classifiers of its own, so a step encodes B·C
    prompts, at evaluation too. They go through the tower in pieces that are computed again in the backward pass:
    memory does not grow with B, and the gradient is that of the whole batch.

    Args:
        config: the settings.
        backbone: D, τ and the text tower.

    Raises:
        UsageError: ``ctx_init`` is not M tokens, or D is too small for the meta-net.
        InputError: there is no text tower.
    """

    name = "cocoop"
    splits_batches = True
    scored_at_once = 8
    needs = frozenset({"frame_vectors", "text_tower"})
    config = CoCoOpConfig
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "official": {**DASSL_SGD, "batch": 1},
        "xmic-code": {
            "full_stop": False,
            "context": 16,
            "ctx_init": "",
            "meta_input": "raw",
            "train_logit_scale": True,
        },
        "paper": {**PAPER, "frame_pool": "norm_then_norm"},
    }
    sources: ClassVar[Mapping[str, str]] = CoOp.sources
    setting_sources: ClassVar[Mapping[str, Mapping[str, str]]] = CoOp.setting_sources
    default_source = COOP_CODE

    def __init__(self, config: CoCoOpConfig, backbone: Backbone) -> None:
        """Initialise the context and the meta-net.

        The context starts from words or from N(0, 0.02²), the meta-net from the framework's defaults.
        """
        super().__init__(config, backbone)
        self._config, self._tower = config, tower_of(self.name, backbone.text_tower)
        hidden = backbone.dim // _REDUCTION
        if hidden < 1:
            raise UsageError(f"cocoop: D = {backbone.dim} leaves no hidden unit of the meta-net, D/{_REDUCTION}.")
        self.context = nn.Parameter(context_start(self._tower, self.name, config.context, config.ctx_init))
        self.meta_net = nn.Sequential(
            OrderedDict(
                first=nn.Linear(backbone.dim, hidden), relu=nn.ReLU(), second=nn.Linear(hidden, self._tower.width)
            )
        )
        self.logit_scale = nn.Parameter(
            torch.tensor(math.log(backbone.logit_scale)), requires_grad=config.train_logit_scale
        )
        self._prompts = TextCache(lambda text: lay_out(self._tower, text, config.context, full_stop=config.full_stop))

    def shifts(self, batch: ClipBatch) -> Tensor:
        """Compute the shift π(g_b) that each clip adds to the context.

        Returns:
            [B, W].

        Raises:
            InputError: the batch has no classified stream.
        """
        frames = stream_of(self.name, batch, "frames")
        if self._config.meta_input == "raw":
            seen = at_least_float32(frames).mean(1)
        else:
            seen = pool_frames(frames, self._config.frame_pool)
        shift: Tensor = self.meta_net(seen.to(self.context.dtype))
        return shift

    def forward(self, batch: ClipBatch, text: TextBank) -> Tensor:
        """Compute the logits of a batch.

        Returns:
            [B, C] float32.

        Raises:
            InputError: the batch has no classified stream; see also :func:`pipelines.methods.prompts.lay_out`.
        """
        contexts = self.context + self.shifts(batch)[:, None]
        options: Any = {"class_chunk": self._config.class_chunk, "checkpointing": self._config.checkpointing}
        vectors = encode_prompts(self._tower, self._prompts.of(text), contexts, **options)
        with exact_float32(vectors.device):
            video = pool_frames(stream_of(self.name, batch, "frames"), self._config.frame_pool)
            cosines = (normalise(vectors.to(video.dtype)) @ video[..., None])[..., 0]
            return self.logit_scale.exp() * cosines

    @torch.no_grad()
    def statistics(self, batch: ClipBatch, text: TextBank) -> dict[str, float]:
        """Return τ and the mean norms of context and shift.

        ``logit_scale`` is τ, ``context_norm`` the mean norm of the learned vectors, ``shift_norm`` that of π(g_b).
        """
        return {
            "logit_scale": self.logit_scale.exp().item(),
            "context_norm": self.context.norm(dim=-1).mean().item(),
            "shift_norm": self.shifts(batch).norm(dim=-1).mean().item(),
        }
