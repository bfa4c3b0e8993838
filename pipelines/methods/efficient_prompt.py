"""A5 and A6: Efficient-Prompt (Ju et al., ECCV 2022).

Learned prompts go around the class names, and a temporal transformer reads the frame vectors. It is one family under
the two names of X-MIC's tables: A6 has one temporal layer more.
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
from pipelines.methods.blocks import AttentionBlock, exact_float32, normalise, send
from pipelines.methods.prompts import PromptConfig, TextCache, context_start, encode_prompts, lay_out
from pipelines.methods.recipe import PAPER
from pipelines.methods.text_tower import tower_of

_STD = 0.01
"""Standard deviation of the initial prompt table and temporal positions."""


_CODE = "Efficient-Prompt's code (ju-chen/Efficient-Prompt)"


@dataclass(frozen=True)
class A5Config(PromptConfig):
    """Settings of A5; the defaults are those of Efficient-Prompt's own code (ju-chen/Efficient-Prompt).

    Raises:
        UsageError: a value is out of range, or two of them contradict each other.
    """

    segments: int = field(default=16, metadata={"help": "N, frames a clip; fixed by the temporal positions"})
    variant: Literal["official", "xmic"] = field(
        default="official",
        metadata={
            "help": "official: learned vectors are rows of a table by position in the sequence, and the temperature is "
            "fixed; xmic: X-MIC's form, CoOp's context before the class name and the encoder's logit scale, learned"
        },
    )
    prefix: int = field(default=16, metadata={"help": "learned vectors before the class name"})
    postfix: int = field(default=16, metadata={"help": "learned vectors behind the class name; 0 with variant=xmic"})
    full_stop: bool = field(default=False, metadata={"help": "a full stop behind the class name"})
    layers: int = field(default=1, metadata={"help": "blocks of the temporal transformer"})
    heads: int = field(default=8, metadata={"help": "attention heads; must divide D"})
    bottleneck: float = field(
        default=0.25, metadata={"help": "D over the hidden width of a block's perceptron: 0.25 is 4D wide, 4 is D/4"}
    )
    temperature: float = field(
        default=0.07, metadata={"help": "what the cosines are divided by; variant=xmic does not use it"}
    )
    contrast_classes: int = field(
        default=400,
        metadata={
            "help": "classes in the softmax of a training step: the batch's and others drawn at random, which its "
            "train_accuracy is among too; 0 = all"
        },
    )

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        low = {"segments": 1, "layers": 1, "heads": 1, "prefix": 0, "postfix": 0, "contrast_classes": 0}
        for name, least in low.items():
            if getattr(self, name) < least:
                raise UsageError(f"{name}={getattr(self, name)}: expected {least} or more.")
        for name in ("bottleneck", "temperature"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name}={getattr(self, name)}: expected more than 0.")
        if self.prefix + self.postfix < 1:
            raise UsageError("prefix=0 and postfix=0: there is no prompt to learn. Set one of them.")
        if self.variant == "xmic" and self.postfix:
            raise UsageError(
                f"variant=xmic with postfix={self.postfix}: X-MIC's form learns nothing behind the class name. Set "
                "postfix=0, or take --preset xmic-code."
            )


@dataclass(frozen=True)
class A6Config(A5Config):
    """Settings of A6: those of A5 with two temporal layers."""

    layers: int = field(default=2, metadata={"help": "blocks of the temporal transformer"})


class A5(Method):
    """A5: Efficient-Prompt's learned prompts and temporal transformer (Ju et al., ECCV 2022).

    logits = n(v) · n(e_t)ᵀ / 0.07, with v = mean_i Blocks([f_1 + q_1, …, f_N + q_N]).

    e_t = T([start][prefix][class tokens][postfix][end]). The learned vectors are rows of a table G [P, W], chosen by
    position in the sequence, so the rows after a class name depend on its length. The raw mean of the frames is not
    added to v. X-MIC's text does not say which of the two forms gave its "A5" rows, nor whether A6 is A5 with one more
    layer.

    Args:
        config: the settings.
        backbone: D, τ and the text tower.

    Raises:
        UsageError: ``heads`` or ``bottleneck`` do not fit D.
        InputError: there is no text tower.
    """

    name = "a5"
    why_whole = "its softmax is over the classes of the whole batch and others drawn at random (contrast_classes)."
    needs = frozenset({"frame_vectors", "text_tower"})
    config: ClassVar[type[A5Config]] = A5Config
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "official": {"lr": 1e-4, "betas": (0.9, 0.999), "warmup_epochs": 0, "batch": 64},
        "xmic-code": {"variant": "xmic", "postfix": 0, "layers": 2, "bottleneck": 4.0, "contrast_classes": 0},
        "paper": PAPER,
    }
    sources: ClassVar[Mapping[str, str]] = {
        "official": _CODE,
        "xmic-code": "X-MIC's re-implementation (Annusha/xmic)",
        "paper": "X-MIC paper, Sec. 4.2, which does not say how its baselines were trained",
    }
    default_source = _CODE

    def __init__(self, config: A5Config, backbone: Backbone) -> None:
        """Initialise prompts, positions and temporal blocks.

        Prompts and positions are drawn from N(0, 0.01²), X-MIC's context from N(0, 0.02²). The blocks have the
        framework's defaults.
        """
        super().__init__(config, backbone)
        self._config, self._tower = config, tower_of(self.name, backbone.text_tower)
        dim, xmic = backbone.dim, config.variant == "xmic"
        if dim % config.heads:
            raise UsageError(f"{self.name}: heads={config.heads} must divide D = {dim}. Set heads to a divisor of it.")
        if int(dim / config.bottleneck) < 1:
            raise UsageError(f"{self.name}: bottleneck={config.bottleneck:g} leaves no hidden unit of D = {dim}.")
        rows, std = (config.prefix, 0.02) if xmic else (self._tower.context, _STD)
        self.prompts = nn.Parameter(context_start(self._tower, self.name, rows, "", std))
        self.positions = nn.Parameter(torch.randn(config.segments, dim) * _STD)
        blocks = (AttentionBlock(dim, config.heads, config.bottleneck) for _ in range(config.layers))
        self.temporal = nn.Sequential(*blocks)
        scale = math.log(backbone.logit_scale if xmic else 1 / config.temperature)
        self.logit_scale = nn.Parameter(torch.tensor(scale), requires_grad=xmic)
        self._sequences = TextCache(
            lambda text: lay_out(
                self._tower, text, config.prefix, config.postfix, full_stop=config.full_stop, by_position=not xmic
            )
        )
        self._encoded = TextCache(self._encode)

    def video(self, batch: ClipBatch) -> Tensor:
        """Compute the vector v of each clip, before normalisation.

        Returns:
            [B, D].

        Raises:
            InputError: the batch has no classified stream, or one that is not [B, N, D].
        """
        frames = stream_of(self.name, batch, "frames")
        if frames.shape[1:] != self.positions.shape:
            raise InputError(
                f"{self.name}: the frames vectors are {list(frames.shape[1:])} a clip, expected "
                f"{list(self.positions.shape)} (segments, D). Use the segments and the encoder it was made for."
            )
        clip: Tensor = self.temporal(frames.to(self.positions.dtype) + self.positions)
        return clip.mean(1)

    def classifiers(self, text: TextBank) -> Tensor:
        """Compute the raw text vectors e_t under the learned prompts.

        Without gradients they are encoded once and kept.

        Returns:
            [C, D].

        Raises:
            InputError: see :func:`pipelines.methods.prompts.lay_out`.
        """
        if torch.is_grad_enabled():
            return self._encode(text)
        return self._encoded.of(text, self.prompts._version, self.prompts.device, self.prompts.dtype)

    def forward(self, batch: ClipBatch, text: TextBank) -> Tensor:
        """Compute the logits of all classes.

        Returns:
            [B, C] float32.

        Raises:
            InputError: see :meth:`video` and :meth:`classifiers`.
        """
        return self._classify(self.video(batch), self.classifiers(text))

    def training_logits(self, batch: ClipBatch, text: TextBank, target: Tensor) -> Tensor:
        """Compute the logits among at most ``contrast_classes`` classes.

        The other classes are not encoded; their logits are −∞. The classes of the batch are always among the chosen
        ones; the rest come from torch's generator on the CPU.

        Returns:
            [B, C] float32.
        """
        classes, count = len(text.names), self._config.contrast_classes
        if not 0 < count < classes:
            return super().training_logits(batch, text, target)
        chosen = contrasted(target, send(torch.randperm(classes), target.device), count)
        logits = self._classify(self.video(batch), self._encode(text, chosen))
        return logits.new_full((len(logits), classes), -math.inf).index_copy(1, chosen, logits)

    @torch.no_grad()
    def statistics(self, batch: ClipBatch, text: TextBank) -> dict[str, float]:
        """Return τ and the mean norms of text and clip vectors.

        ``logit_scale`` is τ, ``text_norm`` the mean of ‖e_t‖, ``video_norm`` the mean of ‖v‖.
        """
        return {
            "logit_scale": self.logit_scale.exp().item(),
            "text_norm": self.classifiers(text).norm(dim=-1).mean().item(),
            "video_norm": self.video(batch).norm(dim=-1).mean().item(),
        }

    def _encode(self, text: TextBank, classes: Tensor | None = None) -> Tensor:
        sequences = self._sequences.of(text)
        sequences = sequences if classes is None else sequences.some(classes)
        options: Any = {"class_chunk": self._config.class_chunk, "checkpointing": self._config.checkpointing}
        return encode_prompts(self._tower, sequences, self.prompts[None], **options)[0]

    def _classify(self, video: Tensor, vectors: Tensor) -> Tensor:
        with exact_float32(video.device):
            wide = torch.promote_types(video.dtype, torch.float32)
            return self.logit_scale.exp() * normalise(video.to(wide)) @ normalise(vectors.to(wide)).T


def contrasted(target: Tensor, order: Tensor, count: int) -> Tensor:
    """Choose the classes of a step: its own, then others in order.

    Args:
        target: int64 [B], the class of each clip.
        order: int64 [C], all classes.
        count: number of classes, unless the batch has more of its own.

    Returns:
        int64, ascending.
    """
    if len(target) > count:
        own = target.unique()
        others = order[~torch.isin(order, own)][: max(0, count - len(own))]
        return torch.cat([own, others]).sort().values
    # The same without finding out how many classes the batch has, for which the CPU would wait.
    rank = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))
    return rank.index_fill_(0, target, -1).topk(count, largest=False).indices.sort().values


class A6(A5):
    """A6: A5 with two temporal layers.

    In X-MIC's own form (preset ``xmic-code``) both A5 and A6 have two.
    """

    name = "a6"
    config = A6Config
