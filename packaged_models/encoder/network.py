"""Configuration and towers of the small CLIP.

The configuration is in open_clip's own form.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor, nn

from packaged_models.encoder.pictures import SIDE
from pipelines.engine.atomic import replace_atomically

CONFIG: dict[str, Any] = {
    "embed_dim": 256,
    "vision_cfg": {"image_size": SIDE, "patch_size": 16, "width": 192, "layers": 8, "head_width": 64},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 4},
}
"""Arguments of ``open_clip.CLIP``."""

PREPROCESS: dict[str, Any] = {
    "mean": list(open_clip.OPENAI_DATASET_MEAN),
    "std": list(open_clip.OPENAI_DATASET_STD),
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}


def make_network(patch_dropout: float) -> open_clip.CLIP:
    """Make the network with random weights of torch's current seed.

    Args:
        patch_dropout: share of the patches that are left out of each training picture (Li et al., FLIP, 2023).
    """
    vision = {**CONFIG["vision_cfg"], "patch_dropout": patch_dropout}
    return open_clip.CLIP(**{**CONFIG, "vision_cfg": vision})


def text_vectors(network: open_clip.CLIP, tokens: Tensor) -> Tensor:
    """Compute text vectors of tokens that are cut off early.

    The tokens end where the longest text ends. The vectors are those of ``encode_text`` of all 77 tokens, computed
    faster:
    the text tower is causal, so tokens behind the end of a text change nothing before it.

    Args:
        network: from :func:`make_network`.
        tokens: int64 ``[n, L]``, L ≤ 77.

    Returns:
        ``[n, 256]``, not normalised.
    """
    length = tokens.shape[1]
    x = network.token_embedding(tokens) + network.positional_embedding[:length]
    x = network.ln_final(network.transformer(x, attn_mask=network.attn_mask[:length, :length]))
    return x[torch.arange(len(tokens)), tokens.argmax(dim=-1)] @ network.text_projection


class Tokens:
    """CLIP tokeniser of captions, cut off behind the longest caption."""

    def __init__(self) -> None:
        self._tokenizer = SimpleTokenizer()

    def of(self, captions: list[str]) -> Tensor:
        """Tokenise a list of captions.

        Returns:
            int64 ``[n, L]``, where L is the number of tokens of the longest caption.
        """
        tokens = self._tokenizer(captions)
        return tokens[:, : int((tokens != 0).sum(dim=1).max())]


def weight_groups(network: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Group parameters for an optimiser by weight decay.

    Matrices decay; embeddings, biases, norms and the logit scale do not.
    """
    decayed: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        (others if parameter.ndim < 2 or "embedding" in name else decayed).append(parameter)
    return [{"params": decayed, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]


def write_config(path: Path) -> None:
    """Write the configuration in open_clip's form, beside the weights.

    The file has ``model_cfg`` and ``preprocess_cfg``.
    """
    with replace_atomically(path) as temporary:
        content = {"model_cfg": CONFIG, "preprocess_cfg": PREPROCESS}
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
