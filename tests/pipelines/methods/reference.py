"""What the tests of the methods share: raw vectors, and a slow reference written from the equations."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from pipelines.methods.base import ClipBatch, TextBank
from pipelines.methods.xmic import XMIC
from tests.pipelines.methods.slow import arrays, block, own, unit


def world(
    clips: int = 2, segments: int = 3, dim: int = 6, dim_v2: int = 8, classes: int = 5, seed: int = 0
) -> tuple[ClipBatch, TextBank]:
    """Raw float64 vectors with the norms CLIP's have, about 10."""
    rng = np.random.default_rng(seed)

    def raw(*shape: int) -> Tensor:
        return torch.from_numpy(10 / math.sqrt(shape[-1]) * rng.standard_normal(shape))

    conditioning = (clips, segments, dim_v2)
    batch = ClipBatch(raw(clips, segments, dim), raw(*conditioning), raw(*conditioning))
    return batch, TextBank(raw(classes, dim), 100.0, [str(c) for c in range(classes)])


def single(batch: ClipBatch, text: TextBank) -> tuple[ClipBatch, TextBank]:
    """The same in float32."""
    streams = (batch.frames, batch.hand, batch.full)
    halves = [None if x is None else x.float() for x in streams]
    return ClipBatch(*halves), TextBank(text.vectors.float(), text.logit_scale, text.names)


def state_of(method: nn.Module) -> dict[str, np.ndarray]:
    """Its tensors in float64, by name."""
    return arrays(method.state_dict())


def reference_stack(
    state: dict[str, np.ndarray], name: str, layers: int, heads: int, tokens: list[np.ndarray]
) -> list[np.ndarray]:
    """The blocks ``name.0``, ``name.1``, … one after the other."""
    for layer in range(layers):
        tokens = block(tokens, own(state, f"{name}.{layer}."), heads)
    return tokens


def reference_vector(method: XMIC, batch: ClipBatch, clip: int) -> np.ndarray:
    """a_v of one clip, before n2 and s."""
    config, state = method._config, state_of(method)
    assert batch.hand is not None
    assert batch.full is not None

    def stack(name: str, layers: int, tokens: list[np.ndarray]) -> list[np.ndarray]:
        return reference_stack(state, name, layers, config.heads, tokens)

    tokens = []
    for i in range(config.segments):
        position = state["positions"][i] if "positions" in state else 0
        pair = [batch.hand[clip, i].numpy(), batch.full[clip, i].numpy()]
        pair = [unit(x) for x in pair] if config.n1 else pair
        if config.streams != "both":
            tokens.append((pair[0] if config.streams == "hand" else pair[1]) + position)
        elif config.attention == "joint":
            tokens += [pair[0] + position, pair[1] + position]
        else:
            first, second = pair if config.attention == "average" else stack("spatial", config.spatial_layers, pair)
            tokens.append((first + second) / 2 + position)
    if config.attention != "pair-mean":
        tokens = stack("temporal", config.temporal_layers, tokens)
    y = sum(tokens) / len(tokens)
    if config.head == "none" or (config.head == "auto" and "head.0.weight" not in state):
        return y
    a = state["head.0.weight"] @ y + state["head.0.bias"]
    if config.head == "mlp":
        a = state["head.2.weight"] @ np.maximum(a, 0) + state["head.2.bias"]
    return np.maximum(a, 0) if config.head_relu else a
