from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from data_manifests.errors import InputError, UsageError
from pipelines.methods.backbone import Backbone
from pipelines.methods.base import ClipBatch, build_method, resolve_config
from pipelines.methods.cocoop import CoCoOp, CoCoOpConfig
from pipelines.methods.coop import CoOp, CoOpConfig
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
    tower,
)


def make(seed: int = 0, **config: Any) -> CoCoOp:
    """In float64, with a meta-net that moves the context visibly."""
    method = build_method(CoCoOp, CoCoOpConfig(**config), backbone(), seed).double()
    assert isinstance(method, CoCoOp)
    return method


def reference_logits(method: CoCoOp, batch: ClipBatch, texts: list[str]) -> np.ndarray:
    config, state = method._config, slow.arrays(method.state_dict())
    words = shared_network().token_embedding.weight.detach().numpy()  # type: ignore[union-attr]
    assert batch.frames is not None
    logits = np.empty((len(batch.frames), len(texts)))
    for clip, frames in enumerate(batch.frames.numpy()):
        mean = sum(frames) / len(frames)
        pooled = sum(map(slow.unit, frames)) / len(frames) if config.frame_pool == "norm_then_norm" else mean
        seen = mean if config.meta_input == "raw" else slow.unit(pooled)
        hidden = np.maximum(state["meta_net.first.weight"] @ seen + state["meta_net.first.bias"], 0)
        shift = state["meta_net.second.weight"] @ hidden + state["meta_net.second.bias"]
        for index, text in enumerate(texts):
            ids = tokenizer().encode(f"{text}." if config.full_stop else text)
            context = [vector + shift for vector in state["context"]]
            tokens = [words[49406], *context, *(words[token] for token in ids), words[49407]]
            e = slow.text_vector(shared_network(), tokens, HEADS)
            logits[clip, index] = math.exp(state["logit_scale"]) * slow.unit(pooled) @ slow.unit(e)
    return logits


@pytest.mark.parametrize(
    "config",
    [{}, {"meta_input": "raw", "context": 2, "ctx_init": ""}, {"full_stop": False, "frame_pool": "norm_then_norm"}],
)
def test_logits_follow_the_equations(config: dict[str, Any]) -> None:
    method, batch = make(**config), clips()
    np.testing.assert_allclose(method(batch, bank()).detach(), reference_logits(method, batch, TEXTS), rtol=1e-9)


def test_without_a_shift_it_is_coop() -> None:
    method, batch = make(), clips()
    torch.nn.init.zeros_(method.meta_net.second.weight)  # type: ignore[union-attr, arg-type]
    torch.nn.init.zeros_(method.meta_net.second.bias)  # type: ignore[union-attr, arg-type]
    coop = build_method(CoOp, CoOpConfig(context=4, ctx_init="a photo of a"), backbone(), 0).double()
    torch.testing.assert_close(method(batch, bank()), coop(batch, bank()), rtol=1e-9, atol=1e-9)


def test_the_meta_net_moves_the_classifiers_of_each_clip_apart() -> None:
    shifts = make().shifts(clips(3))
    assert shifts.shape == (3, tower().width)
    assert (shifts[0] - shifts[1]).norm() > 0


def batch_gradients(method: CoCoOp, batch: ClipBatch, target: Tensor) -> list[Tensor]:
    loss = F.cross_entropy(method(batch, bank()), target)
    return list(torch.autograd.grad(loss, [p for p in method.parameters() if p.requires_grad]))


def test_the_gradient_in_pieces_is_that_of_one_clip_after_the_other_and_of_the_whole_batch() -> None:
    batch, target = clips(4), torch.tensor([0, 3, 5, 3])
    assert batch.frames is not None
    whole = batch_gradients(make(checkpointing="off", class_chunk=1000), batch, target)
    pieces = batch_gradients(make(checkpointing="on", class_chunk=5), batch, target)
    one = make(checkpointing="on", class_chunk=len(TEXTS))
    summed = [torch.zeros_like(gradient) for gradient in whole]
    for index in range(4):
        alone = batch_gradients(one, ClipBatch(batch.frames[index : index + 1]), target[index : index + 1])
        summed = [s + gradient / 4 for s, gradient in zip(summed, alone, strict=True)]
    for a, b, c in zip(whole, pieces, summed, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-13)
        torch.testing.assert_close(a, c, rtol=1e-10, atol=1e-13)


def test_gradients_are_right() -> None:
    method, batch, text = make(context=1, ctx_init="a", train_logit_scale=True), clips(1), bank(["cut", "open jar"])
    trained = [p for p in method.parameters() if p.requires_grad]
    assert len(trained) == 6

    def logits(*_: Tensor) -> Tensor:
        return method(batch, text)

    assert torch.autograd.gradcheck(logits, trained)


@pytest.mark.parametrize(("config", "count"), [({}, 35_360), ({"context": 16, "ctx_init": ""}, 41_504)])
def test_the_parameters_of_vit_b16_are_counted(config: dict[str, Any], count: int) -> None:
    method = CoCoOp(CoCoOpConfig(**config), Backbone(512, 512, 100.0, sized_tower(512, 512)))
    assert sum(p.numel() for p in method.parameters() if p.requires_grad) == count


def test_the_presets_are_the_official_code_and_xmics_copy() -> None:
    official, copy = resolve_config(CoCoOp), resolve_config(CoCoOp, "xmic-code")
    assert (official.recipe.optimiser, official.recipe.batch, official.recipe.lr) == ("sgd", 1, 2e-3)
    assert (official.config.context, official.config.ctx_init) == (4, "a photo of a")
    assert (copy.config.meta_input, copy.config.train_logit_scale, copy.config.full_stop) == ("raw", True, False)


def test_evaluation_gives_the_same_logits_clip_by_clip_and_for_other_classes() -> None:
    method, batch, other = make(class_chunk=4).eval(), clips(3), ["fry egg", "cut"]
    with torch.inference_mode():
        found = method(batch, bank(other))
    np.testing.assert_allclose(found, reference_logits(method, batch, other), rtol=1e-9)


def test_statistics_encode_no_text(monkeypatch: Any) -> None:
    method = make()
    monkeypatch.setattr(method._tower, "encode", None, raising=False)
    found = method.statistics(clips(), bank())
    assert found["shift_norm"] == pytest.approx(method.shifts(clips()).norm(dim=1).mean().item())
    assert set(found) == {"logit_scale", "context_norm", "shift_norm"}


def test_bad_settings_are_refused() -> None:
    with pytest.raises(UsageError, match="context=0: expected 1 or more"):
        CoCoOpConfig(context=0)
    with pytest.raises(UsageError, match=r"cocoop: D = 8 leaves no hidden unit of the meta-net, D/16"):
        CoCoOp(CoCoOpConfig(), Backbone(8, 8, SCALE, tower()))
    with pytest.raises(InputError, match="cocoop needs the frames vectors"):
        make()(ClipBatch(), bank())
    with pytest.raises(InputError, match="cocoop learns through a text tower"):
        CoCoOp(CoCoOpConfig(), Backbone(DIM, DIM, SCALE))
