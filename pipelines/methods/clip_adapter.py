"""CLIP-Adapter (Gao et al., IJCV 2024) and its temporal form.

A small bottleneck adapter follows each frozen encoder.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from data_manifests.errors import InputError, UsageError
from pipelines.methods.backbone import Backbone
from pipelines.methods.base import ClipBatch, Method, TextBank, stream_of
from pipelines.methods.blocks import attention_stack, exact_float32, normalise
from pipelines.methods.coop import DASSL_SGD
from pipelines.methods.recipe import PAPER

Sides = Literal["both", "visual", "text"]

_CODE = "CLIP-Adapter's code (gaopengcuhk/CLIP-Adapter)"
_RECIPE = "CoOp's files, with which CLIP-Adapter's code is run"
_ATTENTION = "X-MIC's released code, for its own attention; X-MIC's paper gives no sizes for CLIP-Adapter*"


@dataclass(frozen=True)
class CLIPAdapterConfig:
    """Settings of CLIP-Adapter.

    Raises:
        UsageError: a value is out of range.
    """

    sides: Sides = field(
        default="both",
        metadata={
            "help": "which encoder is followed by an adapter: both, visual, text",
            "source": "X-MIC paper, Sec. 3.1; CLIP-Adapter's code adapts the visual side only",
        },
    )
    ratio: float = field(
        default=0.2, metadata={"help": "share of the vector that ratio_of names; the other has the rest"}
    )
    ratio_of: Literal["adapted", "original"] = field(
        default="adapted", metadata={"help": "adapted: as CLIP-Adapter's code; original: as X-MIC's code"}
    )
    reduction: int = field(default=4, metadata={"help": "D over the hidden width of an adapter"})
    train_logit_scale: bool = field(default=False, metadata={"help": "learn the logit scale"})

    def __post_init__(self) -> None:
        """Check the values."""
        if not 0 <= self.ratio <= 1:
            raise UsageError(f"clip-adapter: ratio={self.ratio}: expected from 0 to 1.")
        if self.reduction < 1:
            raise UsageError(f"clip-adapter: reduction={self.reduction}: expected 1 or more.")


class Adapter(nn.Module):
    """Bottleneck adapter without biases: A(x) = ReLU(W₂·ReLU(W₁·x)).

    It has 2·D·⌊D/r⌋ parameters.
    """

    def __init__(self, dim: int, reduction: int) -> None:
        """Initialise the weights with the framework's defaults."""
        super().__init__()
        hidden = dim // reduction
        if hidden < 1:
            raise UsageError(f"clip-adapter: reduction={reduction} leaves no hidden unit of D = {dim}.")
        self.down = nn.Linear(dim, hidden, bias=False)
        self.up = nn.Linear(hidden, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the adapter: A(x).

        Args:
            x: [..., D].

        Returns:
            [..., D], nowhere negative.
        """
        return torch.relu(self.up(torch.relu(self.down(x))))


class CLIPAdapter(Method):
    """CLIP-Adapter: a bottleneck adapter after each frozen encoder (Gao et al., 2024).

    logits = τ · n(e_v) · n(e_t)ᵀ. On each adapted side e = α·A(e⁰) + (1 − α)·e⁰; e_v⁰ is the average of the raw frame
    vectors.

    Raw vectors are blended, and the blend is normalised, as in gaopengcuhk/CLIP-Adapter. That code adapts the
    visual side (``sides=visual``); X-MIC compares with adapters after both encoders (Kukleva et al., CVPR 2024,
    Sec. 3.1), which is the default here. The code brings no recipe of its own: it is run with CoOp's files.
    """

    name = "clip-adapter"
    splits_batches = True
    needs = frozenset({"frame_vectors", "text_vectors"})
    config = CLIPAdapterConfig
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "official": {**DASSL_SGD, "batch": 32},
        "xmic-code": {"ratio_of": "original", "train_logit_scale": True},
        "paper": PAPER,
    }
    sources: ClassVar[Mapping[str, str]] = {
        "official": f"{_CODE} on both sides, as X-MIC's paper compares; recipe of CoOp's files, with which it is run",
        "xmic-code": "X-MIC's released code (Annusha/xmic), which does not run this branch as it stands",
        "paper": "X-MIC paper, Sec. 4.2, which does not say how its baselines were trained",
    }
    setting_sources: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "official": {**dict.fromkeys(DASSL_SGD, _RECIPE), "batch": _RECIPE},
    }
    default_source = _CODE

    def __init__(self, config: CLIPAdapterConfig, backbone: Backbone) -> None:
        """Initialise the weights with the framework's defaults."""
        super().__init__(config, backbone)
        self._config = config
        self._adapted = config.ratio if config.ratio_of == "adapted" else 1 - config.ratio
        self.visual = Adapter(backbone.dim, config.reduction) if config.sides != "text" else None
        self.text = Adapter(backbone.dim, config.reduction) if config.sides != "visual" else None
        self.logit_scale = nn.Parameter(
            torch.tensor(math.log(backbone.logit_scale)), requires_grad=config.train_logit_scale
        )

    def forward(self, batch: ClipBatch, text: TextBank) -> Tensor:
        """Compute the logits of a batch.

        Returns:
            [B, C] float32.

        Raises:
            InputError: the batch has no classified stream.
        """
        frames = stream_of(self.name, batch, "frames").to(self.logit_scale.dtype)
        given = self.summary(frames).to(frames.dtype)
        with exact_float32(frames.device):
            classes = text.vectors.to(frames.dtype)
            video = self._blended(self.visual, frames.mean(1), given)
            classes = self._blended(self.text, classes, classes)
            return self.logit_scale.exp() * normalise(video) @ normalise(classes).T

    def summary(self, frames: Tensor) -> Tensor:
        """Return the input of the visual adapter: the average frame vector.

        Args:
            frames: [B, N, D] raw frame vectors.

        Returns:
            [B, D].
        """
        return frames.mean(1)

    def _blended(self, adapter: Adapter | None, original: Tensor, given: Tensor) -> Tensor:
        if adapter is None:
            return original
        return self._adapted * adapter(given) + (1 - self._adapted) * original

    def statistics(self, batch: ClipBatch, text: TextBank) -> dict[str, float]:
        """Return τ and the norms of the adapters' outputs.

        ``logit_scale`` is τ; ``visual_norm`` and ``text_norm`` are the mean of ‖A(·)‖ on each adapted side.
        """
        found = {"logit_scale": self.logit_scale.exp().item()}
        with exact_float32(self.logit_scale.device):
            if self.visual is not None:
                frames = stream_of(self.name, batch, "frames").to(self.logit_scale.dtype)
                found["visual_norm"] = self.visual(self.summary(frames)).norm(dim=-1).mean().item()
            if self.text is not None:
                classes = text.vectors.to(self.logit_scale.dtype)
                found["text_norm"] = self.text(classes).norm(dim=-1).mean().item()
        return found


@dataclass(frozen=True)
class CLIPAdapterTemporalConfig(CLIPAdapterConfig):
    """Settings of CLIP-Adapter with temporal attention.

    The paper gives no number of layers or heads; the defaults are those of X-MIC's code.

    Raises:
        UsageError: a value is out of range.
    """

    segments: int = field(default=16, metadata={"help": "N, frames a clip; fixed by the temporal positions"})
    temporal_layers: int = field(
        default=2, metadata={"help": "blocks of the attention across frames", "source": _ATTENTION}
    )
    heads: int = field(default=8, metadata={"help": "attention heads; must divide D", "source": _ATTENTION})
    bottleneck: float = field(
        default=4.0, metadata={"help": "D over the hidden width of a block's perceptron", "source": _ATTENTION}
    )

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        for name in ("segments", "temporal_layers", "heads"):
            if getattr(self, name) < 1:
                raise UsageError(f"clip-adapter-temporal: {name}={getattr(self, name)}: expected 1 or more.")
        if not self.bottleneck > 0:
            raise UsageError(f"clip-adapter-temporal: bottleneck={self.bottleneck}: expected more than 0.")
        if self.sides == "text":
            raise UsageError(
                "clip-adapter-temporal: sides=text leaves the attention across frames nothing to feed. "
                "Use sides=both or visual, or --method clip-adapter."
            )


class CLIPAdapterTemporal(CLIPAdapter):
    """CLIP-Adapter with temporal attention (CLIP-Adapter* of X-MIC's Table 1).

    The input of the visual adapter is mean_i Blocks([f_1 + p_1, …, f_N + p_N]). The original vector of the blend is
    still the average of the raw frame vectors.
    """

    name = "clip-adapter-temporal"
    config = CLIPAdapterTemporalConfig
    sources: ClassVar[Mapping[str, str]] = {
        **CLIPAdapter.sources,
        "official": f"no authors' code: X-MIC's paper describes it; adapters of {_CODE}, recipe of CoOp's files",
    }

    def __init__(self, config: CLIPAdapterTemporalConfig, backbone: Backbone) -> None:
        """Initialise as the framework does; draw positions from N(0, 0.01²)."""
        super().__init__(config, backbone)
        if backbone.dim % config.heads:
            raise UsageError(f"{self.name}: heads={config.heads} must divide D = {backbone.dim}.")
        if int(backbone.dim / config.bottleneck) < 1:
            raise UsageError(
                f"{self.name}: bottleneck={config.bottleneck:g} leaves no hidden unit of D = {backbone.dim}."
            )
        self.positions = nn.Parameter(torch.randn(config.segments, backbone.dim) * 0.01)
        self.temporal = attention_stack(backbone.dim, config.heads, config.bottleneck, config.temporal_layers)

    def summary(self, frames: Tensor) -> Tensor:
        """Return the input of the visual adapter, after temporal attention.

        Args:
            frames: [B, N, D] raw frame vectors.

        Returns:
            [B, D].

        Raises:
            InputError: the number of frames or their width is not that of the positions.
        """
        if frames.shape[1:] != self.positions.shape:
            raise InputError(
                f"{self.name}: the frames vectors are {list(frames.shape[1:])} a clip, expected "
                f"{list(self.positions.shape)} (segments, D). Use the segments and the encoder it was made for."
            )
        averaged: Tensor = self.temporal(frames + self.positions).mean(1)
        return averaged
