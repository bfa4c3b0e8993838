from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from data_manifests.errors import UsageError
from pipelines.embed.encoders import load_encoder
from pipelines.embed.encoders.open_clip_text import open_text_tower
from tests.pipelines.methods.tiny_tower import network, tokenizer


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ({"no_causal_mask": True}, "its text transformer looks both ways"),
        ({"embed_cls": True}, "its text vector is read at a class token"),
        ({"pool_type": "last"}, "its text vector is read by 'last', not at the end of the text"),
        ({"pool_type": "eos"}, "its text vector is read by 'eos'"),
    ],
)
def test_other_kinds_of_text_towers_are_refused_by_name(text: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError, match=rf"open_clip:mine: {problem}.* xmic, zero-shot"):
        open_text_tower(network(custom=True, **text), tokenizer(), "open_clip:mine")


def test_a_foreign_text_model_or_tokenizer_is_refused() -> None:
    model = network(custom=True)
    with pytest.raises(UsageError, match="its tokenizer is object"):
        open_text_tower(model, object(), "mine")
    model.text = nn.Linear(2, 2)
    with pytest.raises(UsageError, match="its text tower is Linear"):
        open_text_tower(model, tokenizer(), "mine")


@pytest.mark.parametrize("proj_bias", [False, True])
def test_a_projection_with_or_without_bias_is_taken(proj_bias: bool) -> None:
    model = network(custom=True, proj_bias=proj_bias)
    opened = open_text_tower(model, tokenizer(), "mine")
    tokens = opened.tokens(["cut", "open jar"])
    with torch.no_grad():
        expected = model.encode_text(tokenizer()(["cut", "open jar"]))  # type: ignore[operator]
    torch.testing.assert_close(opened.encode(opened.embed(tokens), tokens.argmax(1)), expected, rtol=1e-12, atol=1e-12)
    assert opened.dim == expected.shape[1]


def test_the_packaged_encoder_opens_its_own() -> None:
    encoder = load_encoder("pocket", precision="bf16", batch_size=1, device="cpu")
    tower = encoder.text_tower()
    tokens = tower.tokens(["cut", "chopping board"])
    with torch.no_grad():
        found = tower.encode(tower.embed(tokens), tokens.argmax(1))
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, encoder.encode_texts(["cut", "chopping board"]), rtol=1e-4, atol=1e-5)
