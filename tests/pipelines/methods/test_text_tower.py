from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from data_manifests.errors import InputError
from pipelines.methods.text_tower import tower_of
from tests.pipelines.methods import slow
from tests.pipelines.methods.tiny_tower import HEADS, TEXTS, network, shared_network, tokenizer, tower


def encode(texts: list[str]) -> Tensor:
    tokens = tower().tokens(texts)
    return tower().encode(tower().embed(tokens), tokens.argmax(1))


def full_length(embeddings: Tensor, eot: Tensor) -> Tensor:
    """All 77 places, as open_clip's own forward has them, on given token vectors."""
    model = shared_network()
    padding = torch.randn(len(embeddings), 77 - embeddings.shape[1], embeddings.shape[2], dtype=embeddings.dtype)
    x = torch.cat([embeddings, padding], 1) + model.positional_embedding
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask))
    return x[torch.arange(len(x)), eot] @ model.text_projection


def test_tokens_are_those_of_the_encoders_own_tokenizer() -> None:
    tokens = tower().tokens(TEXTS)
    expected = tokenizer()(TEXTS)
    assert torch.equal(tokens, expected[:, : tokens.shape[1]])
    assert not expected[:, tokens.shape[1] :].any()


@pytest.mark.parametrize("custom", [False, True])
@pytest.mark.parametrize("quick_gelu", [False, True])
def test_vectors_are_those_of_open_clip_in_both_of_its_forms(custom: bool, quick_gelu: bool) -> None:
    model = network(custom, quick_gelu)
    opened = tower(model)
    tokens = opened.tokens(TEXTS)
    with torch.no_grad():
        expected = model.encode_text(tokenizer()(TEXTS))
    torch.testing.assert_close(opened.encode(opened.embed(tokens), tokens.argmax(1)), expected, rtol=1e-12, atol=1e-12)


def test_vectors_and_gradients_do_not_change_by_cutting_behind_the_last_end() -> None:
    tokens = tower().tokens(TEXTS)
    embeddings = tower().embed(tokens).requires_grad_()
    weights = torch.randn(len(TEXTS), tower().dim, dtype=torch.float64)
    found, expected = tower().encode(embeddings, tokens.argmax(1)), full_length(embeddings, tokens.argmax(1))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    gradients = [torch.autograd.grad((x * weights).sum(), embeddings, retain_graph=True)[0] for x in (found, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-11, atol=1e-12)


def test_vectors_follow_the_equations() -> None:
    tokens = tower().tokens(TEXTS[:3])
    found = tower().encode(tower().embed(tokens), tokens.argmax(1))
    for index, row in enumerate(tokens):
        ids = row[: int(row.argmax()) + 1]
        vectors = [shared_network().token_embedding.weight[token].detach().numpy() for token in ids]  # type: ignore[union-attr, index]
        np.testing.assert_allclose(found[index], slow.text_vector(shared_network(), vectors, HEADS), rtol=1e-10)


def test_gradients_are_right() -> None:
    tokens = tower().tokens(["cut", "open jar"])
    embeddings = tower().embed(tokens).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: tower().encode(x, tokens.argmax(1)), embeddings)


def test_the_weights_are_frozen_and_gradients_flow_through_them() -> None:
    model = network()
    opened = tower(model)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    tokens = opened.tokens(TEXTS)
    embeddings = opened.embed(tokens).requires_grad_()
    opened.encode(embeddings, tokens.argmax(1)).sum().backward()
    assert embeddings.grad is not None
    text = [p for name, p in model.named_parameters() if not name.startswith(("visual", "logit"))]
    assert all(not p.requires_grad and p.grad is None for p in text)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_a_text_does_not_depend_on_those_beside_it() -> None:
    torch.testing.assert_close(encode(TEXTS)[:1], encode(TEXTS[:1]), rtol=1e-12, atol=1e-12)


def test_a_class_name_that_does_not_fit_is_named() -> None:
    name = "cut " * 59
    assert tower().tokens([name], 16).shape == (1, 61)
    with pytest.raises(InputError, match=r"class text 'cut cut.*': 61 tokens and 17 learned vectors, .* takes 77"):
        tower().tokens(["egg", name], 17)


def test_a_method_without_a_tower_says_so() -> None:
    with pytest.raises(InputError, match="coop learns through a text tower, but was given none"):
        tower_of("coop", None)
