"""Slow references, written from the equations: one token, one head at a time, in float64."""

from __future__ import annotations

import math

import numpy as np
import torch


def unit(x: np.ndarray) -> np.ndarray:
    return x / math.sqrt(sum(float(value) ** 2 for value in x))


def norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    return (x - x.mean()) / math.sqrt(((x - x.mean()) ** 2).mean() + 1e-5) * weight + bias


def block(tokens: list[np.ndarray], p: dict[str, np.ndarray], heads: int, *, causal: bool = False) -> list[np.ndarray]:
    """A pre-norm residual attention block with QuickGELU; causal: a token sees itself and those before it."""
    width = len(tokens[0])
    size = width // heads
    normed = [norm(x, p["norm1.weight"], p["norm1.bias"]) for x in tokens]
    projected = [p["attention.in_proj_weight"] @ x + p["attention.in_proj_bias"] for x in normed]
    result = []
    for i, token in enumerate(tokens):
        seen = projected[: i + 1] if causal else projected
        mixed = []
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            query = projected[i][:width][part]
            keys = [x[width : 2 * width][part] for x in seen]
            values = [x[2 * width :][part] for x in seen]
            weights = [math.exp(query @ key / math.sqrt(size)) for key in keys]
            mixed.append(sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights))
        attended = p["attention.out_proj.weight"] @ np.concatenate(mixed) + p["attention.out_proj.bias"]
        u = token + attended
        hidden = p["mlp.0.weight"] @ norm(u, p["norm2.weight"], p["norm2.bias"]) + p["mlp.0.bias"]
        hidden = hidden / (1 + np.exp(-1.702 * hidden))
        result.append(u + p["mlp.2.weight"] @ hidden + p["mlp.2.bias"])
    return result


def own(state: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """The tensors under a prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def arrays(state: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """float64."""
    return {name: tensor.detach().double().numpy() for name, tensor in state.items()}


OPEN_CLIP = {"ln_1": "norm1", "attn": "attention", "ln_2": "norm2", "c_fc": "0", "c_proj": "2"}
"""open_clip's names within a block → those of :func:`block`."""


def text_vector(model: torch.nn.Module, tokens: list[np.ndarray], heads: int) -> np.ndarray:
    """T(tokens) of an open_clip CLIP: positions, causal blocks, norm and projection of the last token, its end."""
    state = arrays(model.state_dict())
    tokens = [token + state["positional_embedding"][i] for i, token in enumerate(tokens)]
    for layer in range(len(model.transformer.resblocks)):  # type: ignore[arg-type, union-attr]
        weights = own(state, f"transformer.resblocks.{layer}.")
        named = {".".join(OPEN_CLIP.get(part, part) for part in name.split(".")): w for name, w in weights.items()}
        tokens = block(tokens, named, heads, causal=True)
    last = norm(tokens[-1], state["ln_final.weight"], state["ln_final.bias"])
    vector: np.ndarray = last @ state["text_projection"]
    return vector
