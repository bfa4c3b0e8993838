"""Networks of LaViLa's dual encoder (Zhao et al., CVPR 2023).

The image tower is a TimeSformer over the frames of a clip, the text tower is CLIP's text transformer. The TimeSformer
is a ViT with divided space-time attention in the form of "Frozen in Time" (Bain et al., ICCV 2021). Parameters have
the names of the official checkpoints, so that these load strictly (facebookresearch/LaViLa,
``lavila/models/timesformer.py`` and ``models.py``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import open_clip
import torch
import torch.nn.functional as F
from open_clip.transformer import TextTransformer
from torch import Tensor, nn

HEAD_WIDTH = 64
"""Width of an attention head in both towers of every model. It is CLIP's; the weights do not show it."""
_VISUAL_EPS = 1e-6
"""Epsilon of the image tower's layer norms; the norm before the blocks has torch's own 1e-5."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of a dual encoder.

    Attributes:
        width: W of the image tower.
        layers: number of blocks of the image tower.
        patch: side of a patch, pixels.
        patches: P, patches per frame.
        frames: T, temporal positions; clips of another length are taken too.
        dim: D, the joint width.
        text_width: width of the text tower.
        text_layers: number of blocks of the text tower.
        context: tokens per text.
        vocabulary: number of token ids.
    """

    width: int
    layers: int
    patch: int
    patches: int
    frames: int
    dim: int
    text_width: int
    text_layers: int
    context: int
    vocabulary: int

    @property
    def image_size(self) -> int:
        """Side of a frame, pixels."""
        return math.isqrt(self.patches) * self.patch


def sizes_of(state: Mapping[str, Tensor]) -> Sizes:
    """Read the sizes of a dual encoder off a checkpoint's tensors.

    Raises:
        KeyError: a tensor that the sizes are read off is missing; the key is its name.
    """

    def blocks(before: str) -> int:
        return len({name.removeprefix(before).partition(".")[0] for name in state if name.startswith(before)})

    width, _, _, patch = state["visual.patch_embed.proj.weight"].shape
    context, text_width = state["positional_embedding"].shape
    return Sizes(
        width,
        blocks("visual.blocks."),
        patch,
        state["visual.pos_embed"].shape[1] - 1,
        state["visual.temporal_embed"].shape[1],
        state["image_projection"].shape[-1],
        text_width,
        blocks("transformer.resblocks."),
        context,
        state["token_embedding.weight"].shape[0],
    )


class DualEncoder(nn.Module):
    """Image tower and text tower.

    The attributes of the text tower are those of ``open_clip.CLIP``.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.visual = TimeSformer(sizes)
        self.image_projection = nn.Parameter(torch.empty(sizes.width, sizes.dim))
        text = TextTransformer(
            sizes.context,
            sizes.vocabulary,
            sizes.text_width,
            sizes.text_width // HEAD_WIDTH,
            sizes.text_layers,
            output_dim=sizes.dim,
            act_layer=open_clip.transformer.QuickGELU,
        )
        self.transformer = text.transformer
        self.token_embedding = text.token_embedding
        self.positional_embedding = text.positional_embedding
        self.ln_final = text.ln_final
        self.text_projection = text.text_projection
        self.register_buffer("attn_mask", text.attn_mask, persistent=False)
        self.logit_scale = nn.Parameter(torch.zeros(()))

    def encode_clip(self, frames: Tensor) -> Tensor:
        """Encode clips of frames.

        Args:
            frames: [B, F, 3, S, S]; a single frame is a clip of one.

        Returns:
            Raw vectors [B, D].
        """
        vectors: Tensor = self.visual(frames) @ self.image_projection
        return vectors

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Encode texts, read at the end-of-text token.

        Args:
            tokens: token ids [B, context]; the largest id of a text is its end-of-text token.

        Returns:
            Raw vectors [B, D].
        """
        x = self.token_embedding(tokens) + self.positional_embedding
        x = self.ln_final(self.transformer(x, attn_mask=self.attn_mask))
        vectors: Tensor = x[torch.arange(len(x)), tokens.argmax(-1)] @ self.text_projection
        return vectors


class TimeSformer(nn.Module):
    """Image tower: a ViT over the patches of all frames.

    The last state of its one class token is the vector of the clip. A patch token is the sum of the patch's
    embedding, its position in the frame and the frame's temporal position. The class token has a position of its own
    and none in time.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width = sizes.width
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, sizes.patch, sizes.patch, bias=False)})
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.pos_embed = nn.Parameter(torch.empty(1, sizes.patches + 1, width))
        self.temporal_embed = nn.Parameter(torch.empty(1, sizes.frames, width))
        self.ln_pre = nn.LayerNorm(width)
        self.blocks = nn.ModuleList(SpaceTimeBlock(width) for _ in range(sizes.layers))
        self.norm = nn.LayerNorm(width, eps=_VISUAL_EPS)

    def forward(self, frames: Tensor) -> Tensor:
        """Return the class token of each clip after the last norm.

        Args:
            frames: [B, F, 3, S, S].

        Returns:
            [B, W].
        """
        clips, length = frames.shape[:2]
        patches = self.patch_embed["proj"](frames.flatten(0, 1)).flatten(2).transpose(1, 2)
        patches = patches.unflatten(0, (clips, length)) + self.pos_embed[:, None, 1:]
        patches = patches + temporal_positions(self.temporal_embed, length)[:, :, None]
        first = (self.cls_token + self.pos_embed[:, :1]).expand(clips, -1, -1)
        x = self.ln_pre(torch.cat([first, patches.flatten(1, 2)], 1))
        for block in self.blocks:
            x = block(x, length)
        vectors: Tensor = self.norm(x[:, 0])
        return vectors


def temporal_positions(positions: Tensor, frames: int) -> Tensor:
    """Fit the temporal positions to the number of frames.

    The first F are taken if T ≥ F. Else the T are stretched to F by linear interpolation (the official 'bilinear',
    which leaves the width as it is).

    Args:
        positions: [1, T, W].
        frames: F.

    Returns:
        [1, F, W].
    """
    if frames <= positions.shape[1]:
        return positions[:, :frames]
    stretched = F.interpolate(positions.float().transpose(1, 2), frames, mode="linear", align_corners=False)
    return stretched.transpose(1, 2).to(positions.dtype)


class SpaceTimeBlock(nn.Module):
    """Transformer block with divided attention over time and space.

    u = Time(LN₃(x)); s = Space(LN₁(x + u)); y = x + s; the result is y + MLP(LN₂(y)). As in "Frozen in Time", the
    attention over space is added to x, not to x + u.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width, eps=_VISUAL_EPS) for _ in range(3))
        self.attn = DividedAttention(width)
        self.timeattn = DividedAttention(width)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Apply the block.

        Args:
            x: [B, 1 + F·P, W], the class token and the patch tokens, frame by frame.
            frames: F.

        Returns:
            Tokens of the same shape.
        """
        through_time = x + self.timeattn(self.norm3(x), frames, across_time=True)
        y = x + self.attn(self.norm1(through_time), frames, across_time=False)
        hidden = self.mlp["fc1"](self.norm2(y))
        result: Tensor = y + self.mlp["fc2"](hidden * torch.sigmoid(1.702 * hidden))
        return result


class DividedAttention(nn.Module):
    """Self-attention within groups of patch tokens.

    A group is the patches of one frame, or the patches of one place in all frames. The class token belongs to every
    group as key and value; as query it attends to all tokens of the clip.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, frames: int, *, across_time: bool) -> Tensor:
        """Apply the attention over time or over space.

        Args:
            x: [B, 1 + F·P, W], the class token and the patch tokens, frame by frame.
            frames: F.
            across_time: groups are the patches of one place in all frames; else the patches of one frame.

        Returns:
            Tokens of the same shape.
        """
        clips, patches = len(x), (x.shape[1] - 1) // frames
        groups = patches if across_time else frames
        q, k, v = self.qkv(x).unflatten(-1, (3, -1, HEAD_WIDTH)).permute(2, 0, 3, 1, 4)

        def grouped(heads: Tensor) -> Tensor:
            """Group the patch tokens of [B, H, 1 + F·P, d] as [B·G, H, L, d]."""
            placed = heads[:, :, 1:].unflatten(2, (frames, patches)).movedim(3 if across_time else 2, 1)
            return placed.flatten(0, 1)

        def with_first(heads: Tensor) -> Tensor:
            return torch.cat([heads[:, :, :1].repeat_interleave(groups, 0), grouped(heads)], 2)

        first = F.scaled_dot_product_attention(q[:, :, :1], k, v)
        rest = F.scaled_dot_product_attention(grouped(q), with_first(k), with_first(v)).unflatten(0, (clips, groups))
        rest = rest.movedim(1, 3 if across_time else 2).flatten(2, 3)
        out: Tensor = self.proj(torch.cat([first, rest], 2).transpose(1, 2).flatten(2))
        return out
