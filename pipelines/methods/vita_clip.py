"""Vita-CLIP: learned visual and text prompts (Wasim et al., CVPR 2023).

Prompts go into every layer of the image tower, and before the class names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from data_manifests.errors import InputError, UsageError
from pipelines.methods.backbone import Backbone
from pipelines.methods.base import ClipBatch, Method, TextBank
from pipelines.methods.blocks import WideLayerNorm, at_least_float32, exact_float32, normalise
from pipelines.methods.prompts import PromptConfig, TextCache, encode_prompts, lay_out
from pipelines.methods.recipe import PAPER
from pipelines.methods.text_tower import tower_of

_AT_ONCE = 2**31
"""Bytes of activations that are kept for the backward pass before clips, or layers, are computed again instead. A
constant: the size of a piece decides how sums are rounded, and a resumed training must round as before."""

_FLOATS_PER_TOKEN = 16
"""Activations that a frozen layer keeps per token for the backward pass, in vectors of width W: counted 14.4 for
ViT-B/16 and 15.3 for the pocket encoder, both at 16 frames with their prompts
(``tests/pipelines/methods/test_vita_clip.py``)."""

_CODE = "Vita-CLIP's code (TalalWasim/Vita-CLIP)"

_OFFICIAL: dict[str, Any] = {
    "lr": 4e-4,
    "betas": (0.9, 0.999),
    "weight_decay": 0.05,
    "schedule": "cosine",
    "warmup_epochs": 0,
    "batch": 256,
}
"""Recipe with which its repository trains on Kinetics-400."""


@dataclass(frozen=True)
class VitaCLIPConfig(PromptConfig):
    """Settings of Vita-CLIP.

    The defaults are those of its repository (TalalWasim/Vita-CLIP), except ``frames``.

    Raises:
        UsageError: a value is out of range, or the frames do not fit the segments.
    """

    segments: int = field(default=16, metadata={"help": "N, frames a clip that were decoded"})
    frames: int = field(
        default=16,
        metadata={
            "help": "T, frames the model sees: with 8 of 16, every second segment",
            "source": "ours: as many as the other methods see; its code takes 8",
        },
    )
    global_prompts: int = field(default=8, metadata={"help": "prompts a layer that all frames of all clips share"})
    context: int = field(default=8, metadata={"help": "learned vectors in front of each class name"})
    train_cls_proj: bool = field(
        default=False,
        metadata={"help": "train the class tokens' projections, which the repository leaves as they were drawn"},
    )

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        for name in ("segments", "frames", "global_prompts", "context"):
            if getattr(self, name) < 1:
                raise UsageError(f"vita-clip: {name}={getattr(self, name)}: expected 1 or more.")
        if self.segments % self.frames:
            raise UsageError(
                f"vita-clip: frames={self.frames}, but clips have {self.segments} segments, of which it takes every "
                f"one, every second one, and so on. Set frames to a divisor of {self.segments}."
            )


class SummaryAttention(nn.Module):
    """Attention across the class tokens of a clip's frames.

    Computes s = c + MHA(LN(c)).

    Args:
        width: W, the width of a token.
        heads: number of attention heads.
    """

    def __init__(self, width: int, heads: int) -> None:
        """Initialise the four projections Xavier-uniform, with biases 0."""
        super().__init__()
        self.norm = WideLayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        for weight in (*self.attention.in_proj_weight.chunk(3), self.attention.out_proj.weight):
            nn.init.xavier_uniform_(weight)

    def forward(self, c: Tensor) -> Tensor:
        """Compute the summary tokens s from the class tokens.

        Args:
            c: [B, T, W].

        Returns:
            [B, T, W].
        """
        tokens = self.norm(c)
        summary: Tensor = c + self.attention(tokens, tokens, tokens, need_weights=False)[0]
        return summary


class VitaCLIP(Method):
    """Vita-CLIP: learned visual and text prompts (Wasim et al., CVPR 2023).

    logits = τ · n(v) · n(e_t)ᵀ, with v computed from the pixels by the frozen image tower.

    In each layer, a frame attends to its own [class token, patches], to the T local prompts of its clip, to the global
    prompts and to its own summary token. A local prompt is a learned vector plus the projected class token of one
    frame. All prompts and the summary token are dropped after the attention. v is the mean over the frames of the
    projected class tokens. The class names follow learned context vectors and end in a full stop.

    As in the repository, the projection of the class tokens is drawn at random and not trained, unless
    ``train_cls_proj``. The context is shared by all classes: class-specific contexts mean nothing on another dataset.
    Not taken over are its RandAugment and random crops (all methods see the same pictures here), and a cosine that
    falls step by step (here it falls epoch by epoch).
    """

    name = "vita-clip"
    splits_batches = True
    scored_at_once = 8
    needs = frozenset({"pixels", "text_tower"})
    config = VitaCLIPConfig
    presets: ClassVar[dict[str, dict[str, Any]]] = {"official": _OFFICIAL, "xmic-code": _OFFICIAL, "paper": PAPER}
    sources: ClassVar[Mapping[str, str]] = {
        "official": _CODE,
        "xmic-code": "as official: X-MIC's code (Annusha/xmic) holds no Vita-CLIP",
        "paper": "X-MIC paper, Sec. 4.2, which does not say how its baselines were trained",
    }
    default_source = _CODE

    def __init__(self, config: VitaCLIPConfig, backbone: Backbone) -> None:
        """Draw the initial weights and hold the backbone's towers.

        Raises:
            InputError: the backbone lacks the text or the image tower.
        """
        super().__init__(config, backbone)
        visual, text = backbone.visual_tower, tower_of(self.name, backbone.text_tower)
        if visual is None:
            raise InputError(f"{self.name} learns through an image tower, but was given none. Build it with one.")
        self._config, self._visual, self._text = config, visual, text
        width, layers, frames = visual.width, len(visual.layers), config.frames
        self.time = nn.Parameter(torch.empty(frames, width).normal_(std=0.02))
        # Visual prompt tuning's bound, of the fan-in of a patch.
        bound = math.sqrt(6 / (3 * visual.patch**2 + width))
        self.global_prompts = nn.Parameter(torch.empty(layers, config.global_prompts, width).uniform_(-bound, bound))
        self.local_prompts = nn.Parameter(torch.empty(layers, frames, width).uniform_(-bound, bound))
        self.summaries = nn.ModuleList(SummaryAttention(width, visual.heads) for _ in range(layers))
        self.cls_proj = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.cls_proj.requires_grad_(config.train_cls_proj)
        self.context = nn.Parameter(torch.empty(config.context, text.width).normal_(std=0.02))
        self.logit_scale = nn.Parameter(torch.tensor(math.log(backbone.logit_scale)))
        self._prompts = TextCache(lambda bank: lay_out(text, bank, config.context, full_stop=config.full_stop))
        self._encoded = TextCache(self._encode_text)

    def forward(self, batch: ClipBatch, text: TextBank) -> Tensor:
        """Compute the logits of a batch.

        Returns:
            [B, C] float32.

        Raises:
            InputError: the batch has no pictures, or pictures of another shape.
        """
        video, names = self.video(self._pictures(batch)), self.classifiers(text)
        with exact_float32(video.device):
            video = normalise(at_least_float32(video))
            return self.logit_scale.exp() * video @ normalise(names.to(video.dtype)).T

    def video(self, pictures: Tensor) -> Tensor:
        """Encode the pictures of each clip as a raw vector v.

        Args:
            pictures: [B, T, 3, S, S], the T frames that the model sees.

        Returns:
            [B, D].
        """
        tower = self._visual
        a_clip = 4 * _FLOATS_PER_TOKEN * len(tower.layers) * self._config.frames * tower.tokens * tower.width
        parts = pictures.split(max(1, _AT_ONCE // a_clip))
        mode = self._config.checkpointing
        again = torch.is_grad_enabled() and (mode == "on" or (mode == "auto" and (len(parts) > 1 or a_clip > _AT_ONCE)))
        by_layer = again and a_clip > _AT_ONCE
        if not again:
            return torch.cat([self._encode_video(part, by_layer) for part in parts])
        return torch.cat([_checkpointed(self._encode_video, part, by_layer) for part in parts])

    def classifiers(self, text: TextBank) -> Tensor:
        """Compute the raw text vectors e_t under the learned context.

        Without gradients they are encoded once and kept.

        Returns:
            [C, D].

        Raises:
            InputError: see :func:`pipelines.methods.prompts.lay_out`.
        """
        if torch.is_grad_enabled():
            return self._encode_text(text)
        return self._encoded.of(text, self.context._version, self.context.device, self.context.dtype)

    def random_buffers(self) -> dict[str, Tensor]:
        """Return the class tokens' projections where they are not trained."""
        return {} if self._config.train_cls_proj else dict(self.cls_proj.named_parameters("cls_proj"))

    @torch.no_grad()
    def statistics(self, batch: ClipBatch, text: TextBank) -> dict[str, float]:
        """Return the logit scale τ, as ``logit_scale``."""
        return {"logit_scale": self.logit_scale.exp().item()}

    def _pictures(self, batch: ClipBatch) -> Tensor:
        pictures = batch.pixels
        segments, size = self._config.segments, self._visual.size
        if pictures is None:
            raise InputError(
                "vita-clip reads the pictures themselves, but the batch has none: vectors alone do not do. "
                "Run xmic decode for the frames."
            )
        if pictures.shape[1:] != (segments, 3, size, size):
            raise InputError(
                f"vita-clip: the pictures are {list(pictures.shape[1:])} a clip, expected "
                f"{[segments, 3, size, size]} (segments, colours, height, width)."
            )
        return pictures[:, :: segments // self._config.frames]

    def _encode_text(self, text: TextBank) -> Tensor:
        options: Any = {"class_chunk": self._config.class_chunk, "checkpointing": self._config.checkpointing}
        return encode_prompts(self._text, self._prompts.of(text), self.context[None], share=True, **options)[0]

    def _encode_video(self, pictures: Tensor, by_layer: bool) -> Tensor:
        clips, frames = pictures.shape[:2]
        x = self._visual.stem(pictures.flatten(0, 1), self.time.repeat(clips, 1)[:, None])
        for index in range(len(self._visual.layers)):
            x = _checkpointed(self._layer, x, index) if by_layer else self._layer(x, index)
        return self._visual.project(x[:, 0]).unflatten(0, (clips, frames)).mean(1)

    def _layer(self, x: Tensor, index: int) -> Tensor:
        """Apply one layer with its prompts.

        Args:
            x: [B·T, 1 + patches, W].
            index: the layer, from 0.

        Returns:
            The same shape; of the last layer only the class token, [B·T, 1, W].
        """
        frames, layer = self._config.frames, self._visual.layers[index]
        c = self.cls_proj[index](x[:, 0].unflatten(0, (-1, frames)))
        local = (self.local_prompts[index] + c).repeat_interleave(frames, 0)
        shared = self.global_prompts[index].expand(len(x), -1, -1)
        summary = self.summaries[index](c).flatten(0, 1)[:, None]
        prompts = torch.cat([local.to(x.dtype), shared.to(x.dtype), summary.to(x.dtype)], 1)
        if index == len(self._visual.layers) - 1:
            # Nothing reads the patches afterwards.
            x, prompts = x[:, :1], torch.cat([x[:, 1:], prompts], 1)
        return layer.feed(layer.attend(x, prompts))


def _checkpointed(function: Any, *arguments: Any) -> Tensor:
    found: Tensor = checkpoint(function, *arguments, use_reentrant=False, preserve_rng_state=False)
    return found
