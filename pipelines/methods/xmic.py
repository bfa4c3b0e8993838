"""X-MIC: the clip adapts the frozen text vectors (Kukleva et al., 2024)."""

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
from pipelines.methods.blocks import (
    FramePool,
    at_least_float32,
    attention_stack,
    exact_float32,
    normalise,
    pool_frames,
)
from pipelines.methods.recipe import PAPER, PAPER_SOURCES

PAPER_TEXT, RELEASED = "X-MIC paper", "X-MIC's released code"
"""Names of the two sources of X-MIC's settings: Kukleva et al., CVPR 2024, and Annusha/xmic."""

EQUATIONS: dict[str, Any] = {"head": "auto", "head_relu": False, "scale": 1.0}
"""What Eq. 1 and 3 of the paper print where the released code differs: no head, and a plain sum."""

EQUATION_SOURCES = {
    "head": f"{PAPER_TEXT}, Eq. 3; ours where D_II ≠ D: one linear map",
    "head_relu": f"{PAPER_TEXT}, Eq. 3",
    "scale": f"{PAPER_TEXT}, Eq. 1: a plain sum",
}
"""Source of each setting of :data:`EQUATIONS`."""

_POOL_SOURCE = {"frame_pool": f"{PAPER_TEXT}, Sec. 3.1: the average of normalised frame vectors"}


@dataclass(frozen=True)
class XMICConfig:
    """Settings of X-MIC.

    The defaults are those of the official code (Annusha/xmic, ``XMIC_vitb16``).

    Raises:
        UsageError: a value is out of range, or two of them contradict each other.
    """

    segments: int = field(default=16, metadata={"help": "N, frames a clip; fixed by the temporal positions"})
    streams: Literal["full", "hand", "both"] = field(
        default="both",
        metadata={"help": "conditioning streams; with one of them there is no intra-frame attention"},
    )
    attention: Literal["pair", "joint", "average", "pair-mean"] = field(
        default="pair",
        metadata={
            "help": "of two streams: pair attends within each frame, then across frames; joint over all 2N vectors; "
            "average across the averages of each frame; pair-mean within each frame only",
            "source": f"{PAPER_TEXT}, Eq. 2 and 3",
        },
    )
    positions: bool = field(default=True, metadata={"help": "learned temporal positions before b_T"})
    n1: bool = field(
        default=True,
        metadata={"help": "normalise the conditioning frame vectors", "source": f"{PAPER_TEXT}, Eq. 1 and Table 6"},
    )
    n2: bool = field(
        default=False,
        metadata={"help": "normalise the X-MIC vector before the sum (Table 6)", "source": f"{PAPER_TEXT}, Table 6"},
    )
    n3: bool = field(
        default=False,
        metadata={"help": "normalise the text vectors before the sum (Table 6)", "source": f"{PAPER_TEXT}, Table 6"},
    )
    scale: float = field(default=2.0, metadata={"help": "s, what the X-MIC vector is multiplied by in the sum"})
    train_scale: bool = field(default=False, metadata={"help": "learn s, from the value of scale on"})
    heads: int = field(default=4, metadata={"help": "attention heads; must divide D_II"})
    bottleneck: float = field(default=4.0, metadata={"help": "D_II over the hidden width of a block's perceptron"})
    spatial_layers: int = field(
        default=1, metadata={"help": "blocks of the intra-frame attention b_S", "source": f"{PAPER_TEXT}, Sec. 4.2"}
    )
    temporal_layers: int = field(
        default=2, metadata={"help": "blocks of the inter-frame attention b_T", "source": f"{PAPER_TEXT}, Sec. 4.2"}
    )
    head: Literal["mlp", "linear", "none", "auto"] = field(
        default="mlp",
        metadata={
            "help": "what follows b_T: mlp = two layers; linear = one; none, only where D_II = D; auto = none where "
            "D_II = D, else linear"
        },
    )
    head_relu: bool = field(default=True, metadata={"help": "ReLU on the output of head=mlp or linear"})
    head_ratio: int = field(default=16, metadata={"help": "D_II over the hidden width of head=mlp"})
    train_logit_scale: bool = field(default=True, metadata={"help": "learn the logit scale"})
    frame_pool: FramePool = field(
        default="raw_then_norm",
        metadata={"help": "average raw classified vectors (raw_then_norm) or normalised ones (norm_then_norm)"},
    )
    zero_init_head: bool = field(
        default=False,
        metadata={"help": "start as zero-shot CLIP: zero last layer of the head", "source": "ours: off"},
    )

    @property
    def method(self) -> str:
        """Name of the method, for error messages."""
        return "xmic"

    def __post_init__(self) -> None:
        """Check the values."""
        for name in ("segments", "heads", "spatial_layers", "temporal_layers", "head_ratio"):
            if getattr(self, name) < 1:
                raise UsageError(f"{self.method}: {name}={getattr(self, name)}: expected 1 or more.")
        if not self.bottleneck > 0:
            raise UsageError(f"{self.method}: bottleneck={self.bottleneck}: expected more than 0.")
        if self.attention != "pair" and self.streams != "both":
            raise UsageError(
                f"{self.method}: attention={self.attention} joins two streams, but streams={self.streams} has one. "
                "Use --streams both, or leave attention as it is."
            )
        if self.zero_init_head and (self.head in ("none", "auto") or self.head_relu):
            raise UsageError(
                f"{self.method}: zero_init_head=true with head={self.head} head_relu={str(self.head_relu).lower()}: "
                "it needs a layer to set to zero, and a ReLU passes no gradient at 0. Set head=mlp or head=linear, and "
                "head_relu=false too."
            )


class XMIC(Method):
    """X-MIC: text vectors adapted to each clip (Kukleva et al., CVPR 2024).

    The classifier of clip b and class t is w_{b,t} = n(e_t + s·a_v). The X-MIC vector a_v is computed from the clip's
    frames.

    b_S attends within a frame (hand crop and full frame, Eq. 2 of the paper), b_T across frames (Eq. 3),
    and the sum is classified (Eq. 1). The two-layer head after b_T, its ReLUs, the factor s, the number of
    heads, the bottleneck, the temporal positions and the trained logit scale are not in the paper; they follow its
    code (Annusha/xmic). ``head=none`` is Eq. 3 as printed.

    Args:
        config: the settings.
        backbone: D, D_II, and τ to start from.

    Raises:
        UsageError: the widths do not fit the settings.
    """

    name = "xmic"
    splits_batches = True
    needs = frozenset({"frame_vectors", "hand_vectors", "v2_vectors", "text_vectors"})
    config = XMICConfig
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "official": {},
        "xmic-code": {},
        "paper": {**PAPER, **EQUATIONS, "frame_pool": "norm_then_norm"},
        "recommended": {**EQUATIONS, "frame_pool": "norm_then_norm"},
    }
    sources: ClassVar[Mapping[str, str]] = {
        "official": f"{RELEASED} (Annusha/xmic, XMIC_vitb16)",
        "xmic-code": f"{RELEASED} (Annusha/xmic, XMIC_vitb16)",
        "paper": f"{PAPER_TEXT}: Eq. 1 to 3 and Sec. 4.2 (Kukleva et al., CVPR 2024)",
        "recommended": f"{PAPER_TEXT}, Eq. 1 to 3, trained as {RELEASED} trains",
    }
    setting_sources: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "paper": {**PAPER_SOURCES, **EQUATION_SOURCES, **_POOL_SOURCE},
        "recommended": {**EQUATION_SOURCES, **_POOL_SOURCE},
    }
    default_source = RELEASED

    def __init__(self, config: XMICConfig, backbone: Backbone) -> None:
        """Initialise as the framework does; draw positions from N(0, 0.01²)."""
        super().__init__(config, backbone)
        dim, dim_v2 = backbone.dim, backbone.dim_v2
        _check_widths(config, dim, dim_v2)
        self._config = config
        self._shape = (config.segments, dim_v2)

        def stack(layers: int) -> nn.Sequential:
            return attention_stack(dim_v2, config.heads, config.bottleneck, layers)

        pairs = config.streams == "both" and config.attention in ("pair", "pair-mean")
        across = config.attention != "pair-mean"
        self.spatial = stack(config.spatial_layers) if pairs else None
        self.positions = nn.Parameter(torch.randn(self._shape) * 0.01) if across and config.positions else None
        self.temporal = stack(config.temporal_layers) if across else None
        self.head = _head(config, dim, dim_v2)
        self.logit_scale = nn.Parameter(
            torch.tensor(math.log(backbone.logit_scale)), requires_grad=config.train_logit_scale
        )
        self.scale = nn.Parameter(torch.tensor(config.scale)) if config.train_scale else config.scale

    @classmethod
    def needed_by(cls, config: Any) -> frozenset[str]:
        """Return the inputs this configuration needs.

        The vectors of a conditioning stream that it does not use are left out.
        """
        unused = {"full": {"hand_vectors"}, "hand": {"v2_vectors"}, "both": set()}[config.streams]
        return cls.needs - unused

    def vector(self, batch: ClipBatch) -> Tensor:
        """Compute the X-MIC vector a_v of each clip.

        It is the output of the head, before n2 and the factor s.

        Returns:
            [B, D].

        Raises:
            InputError: a conditioning stream is missing, or is not [B, N, D_II].
        """
        tokens = self._tokens(batch)
        y: Tensor = (tokens if self.temporal is None else self.temporal(tokens)).mean(1)
        return y if self.head is None else self.head(y)

    def forward(self, batch: ClipBatch, text: TextBank) -> Tensor:
        """Compute the logits of a batch: exp(logit_scale)·⟨e_v, n(e_t + s·a_v)⟩.

        Computed as (e_v·e_t + s·e_v·a_v) / √(‖e_t‖² + 2s·a_v·e_t + s²‖a_v‖²), so that the adapted
        classifiers [B, C, D] are never built.

        Returns:
            [B, C] float32.

        Raises:
            InputError: a stream is missing or of another shape.
        """
        return self.classify(self.vector(batch), stream_of(self.name, batch, "frames"), text)

    def classify(self, vector: Tensor, frames: Tensor, text: TextBank) -> Tensor:
        """Compute the logits for given X-MIC vectors.

        They may be another clip's vectors, or their mean; the rest is as in :meth:`forward`.

        Args:
            vector: a_v [B, D] as :meth:`vector` gives it.
            frames: [B, N, D], the classified stream.
            text: C classes.

        Returns:
            [B, C], float32 or wider.
        """
        with exact_float32(vector.device):
            a, e = self._summands(vector, text)
            s = self.factor(a)
            video = pool_frames(frames, self._config.frame_pool).to(a.dtype)
            numerator = video @ e.T + s * (video * a).sum(-1, keepdim=True)
            total = e.square().sum(-1) + s.square() * a.square().sum(-1, keepdim=True)
            # Where text and X-MIC vector cancel, rounding leaves nothing of the radicand: keep it above that.
            limits = torch.finfo(a.dtype)
            floor = (limits.eps * total.detach()).clamp_min(limits.tiny)
            radicand = torch.maximum(total + 2 * s * (a @ e.T), floor)
            return self.logit_scale.to(a.dtype).exp() * numerator * radicand.rsqrt()

    @torch.no_grad()
    def statistics(self, batch: ClipBatch, text: TextBank) -> dict[str, float]:
        """Return τ and the mean norms of both summands.

        ``logit_scale`` is τ. ``text_norm`` is the mean of ‖e_t‖ and ``xmic_norm`` that of ‖s·a_v‖, both as
        they are summed.
        """
        a, e = self._summands(self.vector(batch), text)
        return {
            "logit_scale": self.logit_scale.exp().item(),
            "text_norm": e.norm(dim=-1).mean().item(),
            "xmic_norm": (self.factor(a) * a).norm(dim=-1).mean().item(),
        }

    def factor(self, like: Tensor) -> Tensor:
        """Return the factor s, learned or fixed.

        Args:
            like: a tensor whose type and device s takes.
        """
        if isinstance(self.scale, Tensor):
            return self.scale.to(like)
        # Filled on the device: a copy of a number of the CPU would wait for it.
        return torch.full((), self.scale, dtype=like.dtype, device=like.device)

    def _summands(self, vector: Tensor, text: TextBank) -> tuple[Tensor, Tensor]:
        """Return a_v [B, D] and e_t [C, D], after n2 and n3."""
        a = at_least_float32(vector)
        e = text.vectors.to(a.dtype)
        return (normalise(a) if self._config.n2 else a), (normalise(e) if self._config.n3 else e)

    def _tokens(self, batch: ClipBatch) -> Tensor:
        """Return the tokens that b_T attends over.

        They are [B, N, D_II], with ``joint`` [B, 2N, D_II].
        """
        config = self._config
        positions = 0.0 if self.positions is None else self.positions
        if config.streams != "both":
            return self._conditioning(batch, config.streams) + positions
        hand, full = self._conditioning(batch, "hand"), self._conditioning(batch, "full")
        if config.attention == "joint":
            return torch.cat([hand + positions, full + positions], 1)
        # The order of the two tokens is irrelevant: they have no position and are averaged.
        pair = torch.stack([hand, full], 2)
        if self.spatial is not None:
            pair = self.spatial(pair.flatten(0, 1)).unflatten(0, pair.shape[:2])
        return pair.mean(2) + positions

    def _conditioning(self, batch: ClipBatch, stream: Literal["hand", "full"]) -> Tensor:
        vectors = stream_of(self.name, batch, stream)
        if vectors.shape[1:] != self._shape:
            raise InputError(
                f"{self.name}: the {stream} vectors are {list(vectors.shape[1:])} a clip, expected "
                f"{list(self._shape)} (segments, D_II). Use the number of segments and the V_II it was made for."
            )
        vectors = vectors.to(self.logit_scale.dtype)
        return normalise(vectors) if self._config.n1 else vectors


def _check_widths(config: XMICConfig, dim: int, dim_v2: int) -> None:
    if config.head == "none" and dim_v2 != dim:
        raise UsageError(
            f"{config.method}: head=none needs D_II = D, but V_II gives {dim_v2} and the text has {dim}. Set "
            "head=linear."
        )
    if dim_v2 % config.heads:
        raise UsageError(
            f"{config.method}: heads={config.heads} must divide D_II = {dim_v2}. Set heads to a divisor of it."
        )
    for name, ratio in (("bottleneck", config.bottleneck), ("head_ratio", config.head_ratio)):
        if int(dim_v2 / ratio) < 1 and (name != "head_ratio" or config.head == "mlp"):
            raise UsageError(
                f"{config.method}: {name}={ratio:g} leaves no hidden unit of D_II = {dim_v2}. Set a smaller one."
            )


def _head(config: XMICConfig, dim: int, dim_v2: int) -> nn.Sequential | None:
    """Make what follows b_T; the released code's ``MLP_LY: 1`` is ``linear`` with its ReLU."""
    if config.head == "none" or (config.head == "auto" and dim_v2 == dim):
        return None
    hidden = dim_v2 // config.head_ratio if config.head == "mlp" else dim_v2
    # Drawn before the first layer: the same seed gives the weights that it always gave.
    last = nn.Linear(hidden, dim)
    first = [nn.Linear(dim_v2, hidden), nn.ReLU()] if config.head == "mlp" else []
    if config.zero_init_head:
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
    return nn.Sequential(*first, last, *([nn.ReLU()] if config.head_relu else []))
