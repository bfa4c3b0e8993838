"""Pieces that several methods share: normalisation, pooling, and the residual attention block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FramePool = Literal["raw_then_norm", "norm_then_norm"]


def normalise(x: Tensor) -> Tensor:
    """x / ‖x‖₂ on the last axis; a zero vector stays zero."""
    return F.normalize(x, dim=-1)


def at_least_float32(x: Tensor) -> Tensor:
    """Half precision widened to float32; wider types as they are."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def pool_frames(frames: Tensor, how: FramePool) -> Tensor:
    """The clip's vector e_v of unit norm.

    Args:
        frames: [B, N, D] raw frame vectors.
        how: ``raw_then_norm`` averages the raw vectors (X-MIC's trainer), ``norm_then_norm`` averages
            normalised ones (X-MIC, Kukleva et al., CVPR 2024, Sec. 3; its zero-shot trainer). Both
            normalise the average.

    Returns:
        [B, D].
    """
    frames = at_least_float32(frames)
    return normalise((normalise(frames) if how == "norm_then_norm" else frames).mean(1))


@contextmanager
def no_tf32() -> Iterator[None]:
    """Products of float32 matrices, and convolutions of them, in full float32 and the latter in a fixed order."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def exact_float32(device: torch.device) -> Iterator[None]:
    """Outside autocast and without TF32: in a lower precision the differences between classes drown."""
    with no_tf32(), torch.autocast(device.type, enabled=False):
        yield


class WideLayerNorm(nn.LayerNorm):
    """Layer normalisation computed in the precision of its own weights (float32), also under autocast."""

    def forward(self, x: Tensor) -> Tensor:
        """[..., d] → [..., d]."""
        return super().forward(x.to(self.weight.dtype))


class QuickGELU(nn.Module):
    """a · sigmoid(1.702 a), the activation of OpenAI's CLIP."""

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise."""
        return x * torch.sigmoid(1.702 * x)


class AttentionBlock(nn.Module):
    """A pre-norm residual attention block (Efficient-Prompt, Ju et al., ECCV 2022; X-MIC).

    u = x + MHA(LN₁(x)); y = u + W₂·QuickGELU(W₁·LN₂(u) + b₁) + b₂. No mask, no dropout. It has
    4d² + 4d (attention) + 4d (norms) + 2dh + h + d (perceptron) parameters with h = int(d / bottleneck).

    Args:
        dim: d, the width of a token.
        heads: attention heads; must divide ``dim``.
        bottleneck: divides ``dim`` into the perceptron's hidden width: 4 gives d/4, 0.25 gives 4d.
    """

    def __init__(self, dim: int, heads: int, bottleneck: float) -> None:
        """Initialised as the framework does by default."""
        super().__init__()
        hidden = int(dim / bottleneck)
        self.norm1 = WideLayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.norm2 = WideLayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), QuickGELU(), nn.Linear(hidden, dim))

    def forward(self, x: Tensor) -> Tensor:
        """[B, L, d] → [B, L, d]."""
        tokens = self.norm1(x)
        x = x + self.attention(tokens, tokens, tokens, need_weights=False)[0]
        mlp: Tensor = self.mlp(self.norm2(x))
        return x + mlp


def attention_stack(dim: int, heads: int, bottleneck: float, layers: int) -> nn.Sequential:
    """Blocks one after the other, [B, L, d] → [B, L, d]; see :class:`AttentionBlock`."""
    return nn.Sequential(*(AttentionBlock(dim, heads, bottleneck) for _ in range(layers)))
