from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pipelines.embed.encoders.lavila_network import DualEncoder, sizes_of, temporal_positions
from tests.pipelines.embed.encoders.lavila_checkpoint import SIZES, random_state

HEAD = 64


@pytest.fixture(scope="module")
def state():
    return random_state()


@pytest.fixture(scope="module")
def network(state):
    made = DualEncoder(SIZES)
    made.load_state_dict(state)
    return made.eval().requires_grad_(False)


class Reference:
    """The towers from their equations: float64, one token, one head and one query at a time."""

    def __init__(self, state):
        self.state = {name: value.double().numpy() for name, value in state.items()}

    def linear(self, name, x):
        return self.state[f"{name}.weight"] @ x + self.state[f"{name}.bias"]

    def norm(self, name, x, eps):
        spread = np.sqrt(((x - x.mean()) ** 2).mean() + eps)
        return (x - x.mean()) / spread * self.state[f"{name}.weight"] + self.state[f"{name}.bias"]

    def attend(self, query, keys, values):
        """One query over some tokens, head by head."""
        out = []
        for start in range(0, len(query), HEAD):
            part = slice(start, start + HEAD)
            scores = np.array([query[part] @ key[part] for key in keys]) / math.sqrt(HEAD)
            weights = np.exp(scores - scores.max())
            out.append(sum(w * value[part] for w, value in zip(weights / weights.sum(), values, strict=True)))
        return np.concatenate(out)

    def divided(self, name, tokens, group_of):
        """Attention of every patch to the class token and its own group, of the class token to all."""
        width = SIZES.width
        qkv = {place: self.linear(f"{name}.qkv", x) for place, x in tokens.items()}
        result = {}
        for place in tokens:
            seen = [at for at in tokens if "first" in (place, at) or group_of(at) == group_of(place)]
            keys = [qkv[at][width : 2 * width] for at in seen]
            values = [qkv[at][2 * width :] for at in seen]
            result[place] = self.linear(f"{name}.proj", self.attend(qkv[place][:width], keys, values))
        return result

    def perceptron(self, first, second, x):
        hidden = self.linear(first, x)
        return self.linear(second, hidden / (1 + np.exp(-1.702 * hidden)))

    def clip(self, frames, positions):
        """Frames [F, 3, S, S] and their temporal positions [F, W] → the joint vector [D]."""
        s, patch, side = self.state, SIZES.patch, SIZES.image_size // SIZES.patch
        tokens = {"first": s["visual.cls_token"][0, 0] + s["visual.pos_embed"][0, 0]}
        for f, frame in enumerate(frames):
            for p in range(side * side):
                row, col = divmod(p, side)
                pixels = frame[:, row * patch : (row + 1) * patch, col * patch : (col + 1) * patch]
                kernel = s["visual.patch_embed.proj.weight"].reshape(SIZES.width, -1)
                tokens[f, p] = kernel @ pixels.reshape(-1) + s["visual.pos_embed"][0, 1 + p] + positions[f]
        tokens = {place: self.norm("visual.ln_pre", x, 1e-5) for place, x in tokens.items()}
        for layer in range(SIZES.layers):
            name = f"visual.blocks.{layer}"
            normed = {place: self.norm(f"{name}.norm3", x, 1e-6) for place, x in tokens.items()}
            time = self.divided(f"{name}.timeattn", normed, lambda place: place[1])
            normed = {place: self.norm(f"{name}.norm1", x + time[place], 1e-6) for place, x in tokens.items()}
            space = self.divided(f"{name}.attn", normed, lambda place: place[0])
            for place in tokens:
                y = tokens[place] + space[place]
                inner = self.norm(f"{name}.norm2", y, 1e-6)
                tokens[place] = y + self.perceptron(f"{name}.mlp.fc1", f"{name}.mlp.fc2", inner)
        return self.norm("visual.norm", tokens["first"], 1e-6) @ s["image_projection"]

    def text(self, ids):
        """Token ids up to the end-of-text token → the joint vector [D]."""
        s, width = self.state, SIZES.text_width
        tokens = [s["token_embedding.weight"][token] + s["positional_embedding"][at] for at, token in enumerate(ids)]
        for layer in range(SIZES.text_layers):
            name = f"transformer.resblocks.{layer}"
            normed = [self.norm(f"{name}.ln_1", x, 1e-5) for x in tokens]
            qkv = [s[f"{name}.attn.in_proj_weight"] @ x + s[f"{name}.attn.in_proj_bias"] for x in normed]
            for at in range(len(tokens)):
                keys = [x[width : 2 * width] for x in qkv[: at + 1]]
                values = [x[2 * width :] for x in qkv[: at + 1]]
                tokens[at] = tokens[at] + self.linear(
                    f"{name}.attn.out_proj", self.attend(qkv[at][:width], keys, values)
                )
            tokens = [
                x + self.perceptron(f"{name}.mlp.c_fc", f"{name}.mlp.c_proj", self.norm(f"{name}.ln_2", x, 1e-5))
                for x in tokens
            ]
        return self.norm("ln_final", tokens[-1], 1e-5) @ s["text_projection"]


def frames_of(clips, length, seed=0):
    shape = (clips, length, 3, SIZES.image_size, SIZES.image_size)
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).float()


@pytest.mark.parametrize("length", [1, 4, 6])
def test_a_clip_is_what_the_equations_say_for_fewer_as_many_and_more_frames_than_positions(network, state, length):
    frames = frames_of(2, length)
    positions = temporal_positions(state["visual.temporal_embed"], length)[0].double().numpy()
    found = network.encode_clip(frames).numpy()
    for clip in range(2):
        expected = Reference(state).clip(frames[clip].double().numpy(), positions)
        np.testing.assert_allclose(found[clip], expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_temporal_positions_are_the_first_ones_or_stretched_as_an_image_is():
    positions = torch.randn(1, 4, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(temporal_positions(positions, 1), positions[:, :1])
    assert torch.equal(temporal_positions(positions, 4), positions)
    official = F.interpolate(positions[None], (16, 8), mode="bilinear")[0]
    torch.testing.assert_close(temporal_positions(positions, 16), official)


def test_the_order_of_frames_counts(network):
    frames = frames_of(1, 4)
    assert not torch.allclose(network.encode_clip(frames), network.encode_clip(frames.flip(1)), atol=1e-3)


def test_a_text_is_what_the_equations_say(network, state):
    ids = [49406, 320, 2533, 49407]
    tokens = torch.zeros(2, SIZES.context, dtype=torch.long)
    tokens[:, : len(ids)] = torch.tensor(ids)
    found = network.encode_text(tokens)[0].numpy()
    expected = Reference(state).text(ids)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_the_sizes_of_a_checkpoint_are_read_from_its_tensors(state):
    assert sizes_of(state) == SIZES


def test_the_tensors_have_the_official_names(state):
    block = {"norm1", "norm2", "norm3", "attn.qkv", "attn.proj", "timeattn.qkv", "timeattn.proj", "mlp.fc1", "mlp.fc2"}
    visual = {f"visual.blocks.1.{name}.{kind}" for name in block for kind in ("weight", "bias")}
    visual |= {f"visual.{name}" for name in ("cls_token", "pos_embed", "temporal_embed", "patch_embed.proj.weight")}
    visual |= {f"visual.{name}.{kind}" for name in ("ln_pre", "norm") for kind in ("weight", "bias")}
    names = {name for name in state if name.startswith("visual.") and "blocks.0" not in name}
    assert names == visual
    rest = {name for name in state if not name.startswith(("visual.", "transformer.resblocks.0."))}
    assert rest == {
        *("image_projection", "text_projection", "logit_scale", "positional_embedding", "token_embedding.weight"),
        *("ln_final.weight", "ln_final.bias"),
    }


def test_the_layer_norms_have_the_official_epsilon(network):
    assert network.visual.ln_pre.eps == network.ln_final.eps == 1e-5
    block = network.visual.blocks[0]
    assert {norm.eps for norm in (block.norm1, block.norm2, block.norm3, network.visual.norm)} == {1e-6}
