from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from data_manifests.errors import InputError, UsageError
from pipelines.methods.backbone import Backbone
from pipelines.methods.base import ClipBatch, build_method, resolve_config
from pipelines.methods.coop import CoOp, CoOpConfig
from pipelines.methods.recipe import Recipe
from tests.pipelines.methods import slow
from tests.pipelines.methods.tiny_tower import (
    DIM,
    HEADS,
    SCALE,
    TEXTS,
    backbone,
    bank,
    network,
    shared_network,
    sized_tower,
    tokenizer,
    tower,
)


def make(seed: int = 0, **config: Any) -> CoOp:
    """In float64."""
    method = build_method(CoOp, CoOpConfig(**{"context": 3, **config}), backbone(), seed).double()
    assert isinstance(method, CoOp)
    return method


def clips(count: int = 2, frames: int = 3, seed: int = 0) -> ClipBatch:
    return ClipBatch(torch.from_numpy(np.random.default_rng(seed).standard_normal((count, frames, DIM))))


def reference_logits(method: CoOp, batch: ClipBatch, texts: list[str]) -> np.ndarray:
    config = method._config
    words = shared_network().token_embedding.weight.detach().numpy()  # type: ignore[union-attr]
    scale, context = math.exp(method.logit_scale), method.context.detach().numpy()
    assert batch.frames is not None
    logits = np.empty((len(batch.frames), len(texts)))
    for index, text in enumerate(texts):
        ids = tokenizer().encode(f"{text}." if config.full_stop else text)
        tokens = [words[49406], *context, *(words[token] for token in ids), words[49407]]
        e = slow.text_vector(shared_network(), tokens, HEADS)
        for clip, frames in enumerate(batch.frames.numpy()):
            frames = [slow.unit(f) for f in frames] if config.frame_pool == "norm_then_norm" else frames
            logits[clip, index] = scale * slow.unit(sum(frames) / len(frames)) @ slow.unit(e)
    return logits


@pytest.mark.parametrize("config", [{}, {"full_stop": False}, {"frame_pool": "norm_then_norm"}, {"context": 1}])
def test_logits_follow_the_equations(config: dict[str, Any]) -> None:
    method, batch = make(**config), clips()
    np.testing.assert_allclose(method(batch, bank()).detach(), reference_logits(method, batch, TEXTS), rtol=1e-9)


def test_from_words_it_starts_as_zero_shot_clip_with_that_prompt() -> None:
    method, batch = make(context=4, ctx_init="a photo of a", full_stop=False), clips()
    with torch.no_grad():
        text = shared_network().encode_text(tokenizer()([f"a photo of a {name}" for name in TEXTS]))  # type: ignore[operator]
    assert batch.frames is not None
    video = torch.nn.functional.normalize(batch.frames.mean(1), dim=-1)
    expected = SCALE * video @ torch.nn.functional.normalize(text, dim=-1).T
    torch.testing.assert_close(method(batch, bank()), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("train_logit_scale", [False, True])
def test_gradients_are_right(train_logit_scale: bool) -> None:
    method, batch, text = make(train_logit_scale=train_logit_scale), clips(), bank(["cut", "open jar"])
    trained = [p for p in method.parameters() if p.requires_grad]
    assert len(trained) == 1 + train_logit_scale

    def logits(*_: Tensor) -> Tensor:
        return method(batch, text)

    assert torch.autograd.gradcheck(logits, trained)


@pytest.mark.parametrize(("config", "count"), [({}, 8192), ({"context": 4, "ctx_init": "a photo of a"}, 2048)])
def test_the_parameters_of_vit_b16_are_counted(config: dict[str, Any], count: int) -> None:
    method = CoOp(CoOpConfig(**config), Backbone(512, 512, 100.0, sized_tower(512, 512)))
    assert sum(p.numel() for p in method.parameters() if p.requires_grad) == count


def test_the_official_recipe_is_sgd_with_a_cosine_and_xmics_copy_learns_the_scale() -> None:
    official = resolve_config(CoOp)
    expected = Recipe("sgd", 2e-3, weight_decay=5e-4, schedule="cosine", warmup_epochs=1, warmup_lr=1e-5, batch=32)
    assert official.recipe == expected
    assert (official.config.full_stop, official.config.train_logit_scale) == (True, False)
    copy = resolve_config(CoOp, "xmic-code")
    assert (copy.config.full_stop, copy.config.train_logit_scale) == (False, True)
    assert resolve_config(CoOp, "paper").recipe.lr == 1e-6


def test_at_evaluation_the_context_meets_the_targets_classes() -> None:
    method, batch = make(), clips()
    method(batch, bank()).sum().backward()
    other = ["fry egg", "cut", "stir"]
    found = method.eval()(batch, bank(other))
    np.testing.assert_allclose(found.detach(), reference_logits(method, batch, other), rtol=1e-9)


def test_text_is_encoded_once_for_all_batches_and_again_after_a_step(monkeypatch: Any) -> None:
    method, text = make(), bank()
    calls = []
    encode = tower().encode
    monkeypatch.setattr(method._tower, "encode", lambda *args: calls.append(1) or encode(*args), raising=False)
    with torch.inference_mode():
        before = [method(clips(seed=seed), text) for seed in range(3)]
        assert len(calls) == 1
        method(clips(), bank())
        assert len(calls) == 2
    optimiser = torch.optim.SGD(method.parameters(), 0.1)
    method(clips(), text).sum().backward()
    optimiser.step()
    with torch.inference_mode():
        after = method(clips(), text)
    assert not torch.equal(after, before[0])
    np.testing.assert_allclose(after, reference_logits(method, clips(), TEXTS), rtol=1e-9)


def test_statistics_are_the_scale_and_the_lengths() -> None:
    method = make()
    found = method.statistics(clips(), bank())
    assert found["logit_scale"] == pytest.approx(SCALE)
    assert found["context_norm"] == pytest.approx(method.context.norm(dim=1).mean().item())
    assert found["text_norm"] == pytest.approx(method.classifiers(bank()).norm(dim=1).mean().item())


def test_logits_stay_float32_under_autocast() -> None:
    method = build_method(CoOp, CoOpConfig(), Backbone(DIM, DIM, SCALE, tower(network().float())), 0)
    batch = ClipBatch(clips().frames.float())  # type: ignore[union-attr]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = method(batch, bank())
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, method(batch, bank()), rtol=0.1, atol=1.0)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(UsageError, match="context=0: expected 1 or more"):
        CoOpConfig(context=0)
    with pytest.raises(UsageError, match="coop: ctx_init='a photo of a' has 4 tokens and context=16: set context=4"):
        CoOp(CoOpConfig(ctx_init="a photo of a"), backbone())
    with pytest.raises(InputError, match="coop needs the frames vectors"):
        make()(ClipBatch(), bank())
    with pytest.raises(InputError, match="coop learns through a text tower, but was given none"):
        CoOp(CoOpConfig(), Backbone(DIM, DIM, SCALE))
