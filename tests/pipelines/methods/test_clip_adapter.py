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
from pipelines.methods.base import ClipBatch, TextBank, build_method, resolve_config
from pipelines.methods.clip_adapter import (
    CLIPAdapter,
    CLIPAdapterConfig,
    CLIPAdapterTemporal,
    CLIPAdapterTemporalConfig,
)
from pipelines.methods.coop import DASSL_SGD
from pipelines.methods.recipe import PAPER, Recipe
from pipelines.methods.zero_shot import ZeroShot, ZeroShotConfig
from tests.pipelines.methods.reference import reference_stack, single, state_of, world
from tests.pipelines.methods.slow import unit

BACKBONE = Backbone(8, 8, 100.0)
TEMPORAL: dict[str, Any] = {"segments": 3, "temporal_layers": 2, "heads": 2, "bottleneck": 2.0}


def make(temporal: bool = False, seed: int = 0, **config: Any) -> CLIPAdapter:
    if temporal:
        chosen: Any = CLIPAdapterTemporalConfig(**{**TEMPORAL, **config})
        method = build_method(CLIPAdapterTemporal, chosen, BACKBONE, seed=seed)
    else:
        method = build_method(CLIPAdapter, CLIPAdapterConfig(**config), BACKBONE, seed=seed)
    assert isinstance(method, CLIPAdapter)
    return method


def reference_logits(method: CLIPAdapter, batch: ClipBatch, text: TextBank) -> np.ndarray:
    config, state = method._config, state_of(method)
    assert batch.frames is not None

    def blended(side: str, original: np.ndarray, given: np.ndarray) -> np.ndarray:
        if f"{side}.down.weight" not in state:
            return original
        hidden = np.array([max(0.0, float(row @ given)) for row in state[f"{side}.down.weight"]])
        adapted = np.array([max(0.0, float(row @ hidden)) for row in state[f"{side}.up.weight"]])
        if config.ratio_of == "adapted":
            return config.ratio * adapted + (1 - config.ratio) * original
        return config.ratio * original + (1 - config.ratio) * adapted

    logits = np.empty((len(batch.frames), len(text.vectors)))
    for clip in range(len(batch.frames)):
        frames = [frame.numpy() for frame in batch.frames[clip]]
        original = given = sum(frames) / len(frames)
        if isinstance(method, CLIPAdapterTemporal):
            tokens = [frame + state["positions"][i] for i, frame in enumerate(frames)]
            given = sum(reference_stack(state, "temporal", 2, 2, tokens)) / len(frames)
        video = unit(blended("visual", original, given))
        for name, vector in enumerate(text.vectors.numpy()):
            logits[clip, name] = math.exp(state["logit_scale"]) * (video @ unit(blended("text", vector, vector)))
    return logits


FORMS: list[dict[str, Any]] = [{}, {"ratio_of": "original"}, {"ratio": 0.7}, {"sides": "visual"}, {"reduction": 2}]


@pytest.mark.parametrize(
    ("temporal", "config"),
    [(False, {"sides": "text"}), *((temporal, form) for temporal in (False, True) for form in FORMS)],
)
def test_logits_at_step_0_equal_the_equations(temporal: bool, config: dict[str, Any]) -> None:
    method = make(temporal, **config).double().eval()
    batch, text = world(dim=8)
    with torch.no_grad():
        logits = method(batch, text)
    np.testing.assert_allclose(logits.numpy(), reference_logits(method, batch, text), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        (CLIPAdapterConfig(), 262_144),
        (CLIPAdapterConfig(sides="visual"), 131_072),
        (CLIPAdapterConfig(sides="text"), 131_072),
        (CLIPAdapterConfig(train_logit_scale=True), 262_145),
        (CLIPAdapterTemporalConfig(), 262_144 + 2_376_960),
        (CLIPAdapterTemporalConfig(bottleneck=0.25), 262_144 + 6_312_960),
    ],
)
def test_it_has_the_parameters_of_the_code(config: CLIPAdapterConfig, parameters: int) -> None:
    temporal = isinstance(config, CLIPAdapterTemporalConfig)
    with torch.device("meta"):
        method = (CLIPAdapterTemporal if temporal else CLIPAdapter)(config, Backbone(512, 512, 100.0))  # type: ignore[arg-type]
    assert sum(p.numel() for p in method.parameters() if p.requires_grad) == parameters


@pytest.mark.parametrize("temporal", [False, True])
def test_with_nothing_of_the_adapted_vectors_it_is_zero_shot_clip(temporal: bool) -> None:
    method, (batch, text) = make(temporal, ratio=0.0), single(*world(dim=8))
    zero_shot = ZeroShot(ZeroShotConfig("raw_then_norm"), BACKBONE)
    torch.testing.assert_close(method(batch, text).detach(), zero_shot(batch, text), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("temporal", [False, True])
def test_gradients_are_those_of_finite_differences(temporal: bool) -> None:
    method, (batch, text) = make(temporal, reduction=1, train_logit_scale=True).double(), world(dim=8)
    parameters = dict(method.named_parameters())
    # One tensor of each side and of the attention; all of them would take minutes.
    names = ["visual.down.weight", "text.up.weight", "logit_scale", *(["positions"] if temporal else [])]

    def logits(*tensors: Tensor) -> Tensor:
        given = dict(zip(names, tensors, strict=True))
        found: Tensor = torch.func.functional_call(method, {**parameters, **given}, (batch, text))
        return found

    given = tuple(parameters[name].detach().requires_grad_() for name in names)
    assert torch.autograd.gradcheck(logits, given)
    F.cross_entropy(method(batch, text), torch.tensor([1, 4])).backward()
    assert all(p.grad is not None for p in method.parameters())


def test_what_an_adapter_gives_is_nowhere_negative() -> None:
    method = make()
    assert method.visual is not None
    assert (method.visual(torch.randn(50, 8)) >= 0).all()


def test_the_logit_scale_is_frozen_unless_told_otherwise() -> None:
    assert not make().logit_scale.requires_grad
    assert make(train_logit_scale=True).logit_scale.requires_grad
    assert make().logit_scale.exp().item() == pytest.approx(100)


def test_presets_are_those_of_the_sources() -> None:
    official, code, paper = (resolve_config(CLIPAdapter, preset) for preset in ("official", "xmic-code", "paper"))
    assert (official.config, official.recipe) == (CLIPAdapterConfig(), Recipe(**DASSL_SGD, batch=32))
    assert (official.recipe.optimiser, official.recipe.lr, official.recipe.batch) == ("sgd", 2e-3, 32)
    assert code.config == CLIPAdapterConfig(ratio_of="original", train_logit_scale=True)
    assert code.recipe == Recipe()
    assert paper.recipe == Recipe(**PAPER)
    assert {official.recipe.epochs, code.recipe.epochs, paper.recipe.epochs} == {15}


def test_the_seed_decides_the_weights() -> None:
    first, again, other = (make(True, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["visual.up.weight"], other["visual.up.weight"])


def test_plain_logits_stay_float32_under_autocast() -> None:
    method, (batch, text) = make(), single(*world(dim=8))
    plain = method(batch, text)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(method(batch, text), plain)
    assert plain.dtype == torch.float32


@pytest.mark.parametrize(("sides", "names"), [("both", {"visual_norm", "text_norm"}), ("text", {"text_norm"})])
def test_statistics_are_the_norms_of_what_the_adapters_give(sides: str, names: set[str]) -> None:
    method, (batch, text) = make(sides=sides), single(*world(dim=8))
    statistics = method.statistics(batch, text)
    assert set(statistics) == {"logit_scale", *names}
    assert method.text is not None
    assert statistics["text_norm"] == pytest.approx(method.text(text.vectors).norm(dim=-1).mean().item())


@pytest.mark.parametrize(
    ("temporal", "config", "text"),
    [
        (False, {"ratio": 1.5}, r"clip-adapter: ratio=1\.5: expected from 0 to 1"),
        (False, {"reduction": 0}, "clip-adapter: reduction=0: expected 1 or more"),
        (False, {"reduction": 9}, "clip-adapter: reduction=9 leaves no hidden unit of D = 8"),
        (True, {"heads": 3}, "clip-adapter-temporal: heads=3 must divide D = 8"),
        (True, {"heads": 0}, "clip-adapter-temporal: heads=0: expected 1 or more"),
        (True, {"bottleneck": 0.0}, r"bottleneck=0\.0: expected more than 0"),
        (True, {"bottleneck": 9.0}, "bottleneck=9 leaves no hidden unit of D = 8"),
        (True, {"sides": "text"}, "sides=text leaves the attention across frames nothing to feed"),
    ],
)
def test_settings_that_cannot_work_are_refused(temporal: bool, config: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        make(temporal, **config)


def test_another_number_of_segments_is_refused() -> None:
    batch, text = single(*world(segments=4, dim=8))
    with pytest.raises(InputError, match=r"the frames vectors are \[4, 8\] a clip, expected \[3, 8\] \(segments, D\)"):
        make(True)(batch, text)
    with pytest.raises(InputError, match="clip-adapter needs the frames vectors"):
        make()(ClipBatch(), text)
