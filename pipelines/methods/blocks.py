"""Shared parts of the methods: normalisation, frame pooling, precision, attention blocks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FramePool = Literal["raw_then_norm", "norm_then_norm"]


def normalise(x: Tensor) -> Tensor:
    """Scale vectors to unit length on the last axis.

    Gives x / ‖x‖₂; a zero vector stays zero.
    """
    return F.normalize(x, dim=-1)


def at_least_float32(x: Tensor) -> Tensor:
    """Widen half precision to float32.

    Wider types are returned as they are.
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))


def pool_frames(frames: Tensor, how: FramePool) -> Tensor:
    """Pool the frame vectors of each clip into e_v.

    e_v has unit norm.

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
    """Compute float32 products and convolutions without TF32.

    Convolutions also sum in a fixed order.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def exact_float32(device: torch.device) -> Iterator[None]:
    """Compute without autocast and without TF32.

    In a lower precision, rounding hides the differences between classes.
    """
    with no_tf32(), torch.autocast(device.type, enabled=False):
        yield


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor of the CPU to a device without waiting.

    To CUDA it goes through pinned memory, so that the copy is queued like any other work of the device.
    """
    if device.type != "cuda" or tensor.device.type != "cpu":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


class WideLayerNorm(nn.LayerNorm):
    """Layer normalisation in the precision of its own weights (float32).

    This holds under autocast too.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each token.

        Returns:
            [..., d], as x, in the type of the weights.
        """
        return super().forward(x.to(self.weight.dtype))


class QuickGELU(nn.Module):
    """Activation of OpenAI's CLIP: a · sigmoid(1.702 a)."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply the activation to each element."""
        return x * torch.sigmoid(1.702 * x)


class AttentionBlock(nn.Module):
    """A pre-norm residual attention block (Efficient-Prompt, Ju et al., ECCV 2022; X-MIC).

    u = x + MHA(LN₁(x)); y = u + W₂·QuickGELU(W₁·LN₂(u) + b₁) + b₂. No mask, no dropout. It has
    4d² + 4d (attention) + 4d (norms) + 2dh + h + d (MLP) parameters with h = int(d / bottleneck).

    Args:
        dim: d, the width of a token.
        heads: attention heads; must divide ``dim``.
        bottleneck: divisor that gives the MLP's hidden width: 4 gives d/4, 0.25 gives 4d.
    """

    def __init__(self, dim: int, heads: int, bottleneck: float) -> None:
        """Initialise the weights with the framework's defaults."""
        super().__init__()
        hidden = int(dim / bottleneck)
        self.norm1 = WideLayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.norm2 = WideLayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), QuickGELU(), nn.Linear(hidden, dim))

    def forward(self, x: Tensor) -> Tensor:
        """Apply attention, then the MLP, to the tokens.

        Args:
            x: [B, L, d].

        Returns:
            [B, L, d].
        """
        tokens = self.norm1(x)
        x = x + _attend(self.attention, tokens)
        mlp: Tensor = self.mlp(self.norm2(x))
        return x + mlp


def _attend(attention: nn.MultiheadAttention, tokens: Tensor) -> Tensor:
    """Apply self-attention to the tokens.

    On a CPU it is written as products of matrices. The framework's fused kernel is made for long sequences: here, where
    L is 2 to 32, it makes a training step up to 1.9 times as slow (``python -m benchmarks.steps``).

    Returns:
        [B, L, d], as the tokens.
    """
    if tokens.device.type != "cpu":
        fused: Tensor = attention(tokens, tokens, tokens, need_weights=False)[0]
        return fused
    projected = F.linear(tokens, attention.in_proj_weight, attention.in_proj_bias)
    # [B, heads, L, d / heads] each.
    query, key, value = (
        part.unflatten(-1, (attention.num_heads, attention.head_dim)).transpose(1, 2) for part in projected.chunk(3, -1)
    )
    weights = (query / math.sqrt(attention.head_dim) @ key.mT).softmax(-1)
    attended: Tensor = attention.out_proj((weights @ value).transpose(1, 2).flatten(2))
    return attended


def attention_stack(dim: int, heads: int, bottleneck: float, layers: int) -> nn.Sequential:
    """Stack attention blocks one after the other.

    The stack maps [B, L, d] to [B, L, d]. ``layers`` is the number of blocks; the other arguments are those of
    :class:`AttentionBlock`.
    """
    return nn.Sequential(*(AttentionBlock(dim, heads, bottleneck) for _ in range(layers)))
