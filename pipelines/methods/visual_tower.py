"""Frozen image transformer, opened up layer by layer.

Gradients pass through it; its own weights stay as they are.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


class VisualLayer:
    """One frozen pre-norm block of the transformer, in two halves.

    Args:
        block: a block of open_clip, with one projection for queries, keys and values.
    """

    def __init__(self, block: Any) -> None:
        self._block = block
        self._heads: int = block.attn.num_heads

    def attend(self, x: Tensor, others: Tensor) -> Tensor:
        """Attend to the tokens themselves and to others.

        Computes x + MHA(LN₁(x)), where x also attends to the other tokens.

        The other tokens are not updated: their rows of the output would be dropped.

        Args:
            x: [n, L, W].
            others: [n, M, W], in any order.

        Returns:
            [n, L, W].
        """
        attention, length = self._block.attn, x.shape[1]
        tokens = self._block.ln_1(torch.cat([x, others], 1))
        weight, bias = attention.in_proj_weight, attention.in_proj_bias
        width = x.shape[2]
        query = F.linear(tokens[:, :length], weight[:width], bias[:width])
        key, value = F.linear(tokens, weight[width:], bias[width:]).chunk(2, -1)
        split = (part.unflatten(-1, (self._heads, -1)).transpose(1, 2) for part in (query, key, value))
        mixed = F.scaled_dot_product_attention(*split).transpose(1, 2).flatten(-2)
        moved: Tensor = x + self._block.ls_1(attention.out_proj(mixed))
        return moved

    def feed(self, x: Tensor) -> Tensor:
        """Apply the MLP half of the block: x + MLP(LN₂(x)).

        Args:
            x: [n, L, W].

        Returns:
            [n, L, W].
        """
        moved: Tensor = x + self._block.ls_2(self._block.mlp(self._block.ln_2(x)))
        return moved


class VisualTower:
    """A frozen vision transformer of open_clip (CLIP's image tower).

    It is not an ``nn.Module``: a method that holds one neither trains it, nor moves it, nor saves it.

    Args:
        visual: ``model.visual`` of open_clip, a vision transformer whose vector is read at the class token; its
            weights no longer take gradients.
        mean: mean of the encoder's preprocessing, per channel.
        std: standard deviation of the same, per channel.

    Attributes:
        width: W, the width of a token.
        dim: D, the joint width.
        heads: number of attention heads.
        patch: side of a patch, pixels.
        size: S, side of a picture, pixels.
        tokens: number of tokens of a picture: the class token and its patches.
        layers: the blocks.
    """

    def __init__(self, visual: Any, mean: list[float], std: list[float]) -> None:
        self._visual = visual.eval().requires_grad_(False)
        stem = visual.conv1.weight
        self._mean, self._std = (torch.tensor(x, device=stem.device).view(3, 1, 1) for x in (mean, std))
        self.width, self.patch = int(stem.shape[0]), int(stem.shape[-1])
        self.size = int(visual.image_size[0])
        self.tokens = int(visual.positional_embedding.shape[0])
        self.dim = int(visual.proj.shape[1])
        self.layers = [VisualLayer(block) for block in visual.transformer.resblocks]
        self.heads = int(visual.transformer.resblocks[0].attn.num_heads)

    def stem(self, pictures: Tensor, offset: Tensor) -> Tensor:
        """Embed pictures as class token and patches, with positions.

        The first norm is applied.

        Args:
            pictures: uint8 [n, 3, S, S], as the encoder's preprocessing cuts them, or the same already
                normalised, floating.
            offset: [n, 1, W], added to every token before the norm.

        Returns:
            [n, 1 + patches, W].
        """
        visual = self._visual
        if pictures.dtype == torch.uint8:
            pictures = (pictures.to(self._mean.dtype) / 255 - self._mean) / self._std
        patches = visual.conv1(pictures.to(visual.conv1.weight.dtype)).flatten(2).transpose(1, 2)
        first = visual.class_embedding.expand(len(patches), 1, -1)
        tokens: Tensor = visual.ln_pre(torch.cat([first.to(patches.dtype), patches], 1) + self._positions + offset)
        return tokens

    def project(self, tokens: Tensor) -> Tensor:
        """Apply the last norm and the projection, without autocast.

        Args:
            tokens: [..., W].

        Returns:
            Raw vectors [..., D], in the type of the projection.
        """
        projection: Tensor = self._visual.proj
        with torch.autocast(tokens.device.type, enabled=False):
            projected: Tensor = self._visual.ln_post(tokens.to(projection.dtype)) @ projection
        return projected

    @property
    def _positions(self) -> Tensor:
        positions: Tensor = self._visual.positional_embedding
        return positions
