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
from pipelines.methods.efficient_prompt import A5, A6, A5Config, A6Config
from tests.pipelines.methods import slow
from tests.pipelines.methods.test_coop import clips
from tests.pipelines.methods.tiny_tower import (
    DIM,
    HEADS,
    SCALE,
    TEXTS,
    backbone,
    bank,
    shared_network,
    sized_tower,
    tokenizer,
)

SMALL: dict[str, Any] = {"segments": 3, "heads": 2}
XMIC: dict[str, Any] = {"variant": "xmic", "postfix": 0, "prefix": 4, "bottleneck": 4.0, "contrast_classes": 0}


def make(seed: int = 0, **config: Any) -> A5:
    """In float64."""
    method = build_method(A5, A5Config(**{**SMALL, **config}), backbone(), seed).double()
    assert isinstance(method, A5)
    return method


def reference_logits(method: A5, batch: ClipBatch, texts: list[str]) -> np.ndarray:
    config, state = method._config, slow.arrays(method.state_dict())
    words, table = shared_network().token_embedding.weight.detach().numpy(), state["prompts"]  # type: ignore[union-attr]
    scale = math.exp(state["logit_scale"]) if config.variant == "xmic" else 1 / 0.07
    assert batch.frames is not None
    logits = np.empty((len(batch.frames), len(texts)))
    for clip, frames in enumerate(batch.frames.numpy()):
        tokens = [frame + state["positions"][i] for i, frame in enumerate(frames)]
        for layer in range(config.layers):
            tokens = slow.block(tokens, slow.own(state, f"temporal.{layer}."), config.heads)
        video = sum(tokens) / len(tokens)
        for index, text in enumerate(texts):
            sequence = [words[49406]]
            for place in range(config.prefix):
                sequence.append(table[place if config.variant == "xmic" else len(sequence)])
            sequence += [words[token] for token in tokenizer().encode(text)]
            for _ in range(config.postfix):
                sequence.append(table[len(sequence)])
            sequence.append(words[49407])
            e = slow.text_vector(shared_network(), sequence, HEADS)
            logits[clip, index] = scale * slow.unit(video) @ slow.unit(e)
    return logits


@pytest.mark.parametrize(
    "config", [{"prefix": 4, "postfix": 3}, {"layers": 2, "prefix": 1, "postfix": 0}, XMIC, {**XMIC, "layers": 2}]
)
def test_logits_follow_the_equations(config: dict[str, Any]) -> None:
    method, batch = make(**config), clips()
    np.testing.assert_allclose(method(batch, bank()).detach(), reference_logits(method, batch, TEXTS), rtol=1e-6)


def test_at_evaluation_the_prompts_meet_the_targets_classes_and_are_encoded_once(monkeypatch: Any) -> None:
    method, text = make().eval(), bank(["fry egg", "cut"])
    calls = []
    encode = method._tower.encode
    monkeypatch.setattr(method._tower, "encode", lambda *args: calls.append(1) or encode(*args), raising=False)
    with torch.inference_mode():
        for seed in range(3):
            found = method(clips(seed=seed), text)
    assert len(calls) == 1
    np.testing.assert_allclose(found, reference_logits(method, clips(seed=2), ["fry egg", "cut"]), rtol=1e-6)


def test_gradients_are_right() -> None:
    method, batch, text = make(prefix=1, postfix=1, bottleneck=4.0), clips(1), bank(["cut", "open jar"])
    trained = [method.prompts, method.positions, *method.temporal.parameters()]

    def logits(*_: Tensor) -> Tensor:
        return method(batch, text)

    assert torch.autograd.gradcheck(logits, trained, fast_mode=True)


def test_only_rows_that_stand_somewhere_are_moved() -> None:
    method = make(prefix=2, postfix=1)
    method(clips(), bank(["cut", "open jar"])).sum().backward()
    assert method.prompts.grad is not None
    assert method.prompts.grad.norm(dim=1).nonzero().flatten().tolist() == [1, 2, 4, 5]


@pytest.mark.parametrize(
    ("method", "preset", "count"),
    [
        (A5, "official", 3_200_000),
        (A6, "official", 6_352_384),
        (A5, "paper", 3_200_000),
        (A5, "xmic-code", 16 * 512 + 16 * 512 + 2 * 1_184_384 + 1),
        (A6, "xmic-code", 16 * 512 + 16 * 512 + 2 * 1_184_384 + 1),
    ],
)
def test_the_parameters_of_vit_b16_are_counted(method: type[A5], preset: str, count: int) -> None:
    config = resolve_config(method, preset).config
    built = method(config, Backbone(512, 512, 100.0, sized_tower(512, 512)))
    assert sum(p.numel() for p in built.parameters() if p.requires_grad) == count


def test_the_temperature_is_fixed_and_xmics_form_learns_the_encoders_scale() -> None:
    official, xmic = make(), make(**XMIC)
    assert (official.logit_scale.exp().item(), official.logit_scale.requires_grad) == (pytest.approx(1 / 0.07), False)
    assert (xmic.logit_scale.exp().item(), xmic.logit_scale.requires_grad) == (pytest.approx(SCALE), True)
    assert official.statistics(clips(), bank())["logit_scale"] == pytest.approx(1 / 0.07)


def test_the_official_recipe_is_adamw_at_a_constant_rate() -> None:
    recipe = resolve_config(A6).recipe
    assert (recipe.optimiser, recipe.lr, recipe.weight_decay, recipe.batch) == ("adamw", 1e-4, 0.01, 64)
    assert (recipe.schedule, recipe.warmup_epochs, recipe.betas) == ("constant", 0, (0.9, 0.999))


def test_a_step_contrasts_the_batchs_classes_and_others_at_random() -> None:
    method, batch, text, target = make(contrast_classes=4), clips(), bank(), torch.tensor([5, 1])
    everything = method(batch, text)
    seen = set()
    for seed in range(20):
        torch.manual_seed(seed)
        logits = method.training_logits(batch, text, target)
        there = logits.isfinite()
        assert there.sum(1).tolist() == [4, 4]
        assert there[:, target].all()
        torch.testing.assert_close(logits[there], everything[there], rtol=1e-9, atol=1e-9)
        seen.add(tuple(there[0].nonzero().flatten().tolist()))
        torch.manual_seed(seed)
        assert torch.equal(method.training_logits(batch, text, target), logits)
    assert len(seen) > 1
    assert {index for chosen in seen for index in chosen} == set(range(6))


def test_the_loss_over_some_classes_is_finite_and_has_the_gradient_of_their_own_softmax() -> None:
    method, batch, text, target = make(contrast_classes=2), clips(), bank(), torch.tensor([5, 1])
    loss = torch.nn.functional.cross_entropy(method.training_logits(batch, text, target), target)
    alone = torch.nn.functional.cross_entropy(method(batch, text)[:, [1, 5]], torch.tensor([1, 0]))
    torch.testing.assert_close(loss, alone, rtol=1e-9, atol=1e-9)
    for found, expected in zip(
        *(torch.autograd.grad(value, [method.prompts, method.positions]) for value in (loss, alone)), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("contrast", [0, 6, 400])
def test_enough_room_for_all_classes_means_all_classes(contrast: int) -> None:
    method, batch, text = make(contrast_classes=contrast), clips(), bank()
    state = torch.get_rng_state()
    assert torch.equal(method.training_logits(batch, text, torch.tensor([5, 1])), method(batch, text))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"layers": 0}, "layers=0: expected 1 or more"),
        ({"temperature": 0.0}, r"temperature=0.0: expected more than 0"),
        ({"prefix": 0, "postfix": 0}, "there is no prompt to learn"),
        ({"variant": "xmic"}, r"variant=xmic with postfix=16: .* take --preset xmic-code"),
        ({"contrast_classes": -1}, "contrast_classes=-1: expected 0 or more"),
    ],
)
def test_bad_settings_are_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        A6Config(**config)


def test_widths_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match=r"a6: heads=3 must divide D = 16"):
        A6(A6Config(heads=3), backbone())
    with pytest.raises(UsageError, match=r"a5: bottleneck=32 leaves no hidden unit of D = 16"):
        A5(A5Config(bottleneck=32.0), backbone())
    with pytest.raises(InputError, match=r"a5: the frames vectors are \[4, 16\] a clip, expected \[3, 16\]"):
        make()(clips(frames=4), bank())
    with pytest.raises(InputError, match="a6 learns through a text tower"):
        A6(A6Config(), Backbone(DIM, DIM, SCALE))
