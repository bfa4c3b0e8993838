from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from data_manifests.errors import UsageError
from pipelines.methods.backbone import Backbone
from pipelines.methods.base import ClipBatch, TextBank, build_method, resolve_config
from pipelines.methods.late_fusion import LateFusion, LateFusionConfig
from pipelines.methods.xmic import XMIC, XMICConfig
from pipelines.methods.zero_shot import ZeroShot, ZeroShotConfig
from tests.pipelines.methods.reference import reference_vector, single, state_of, world
from tests.pipelines.methods.slow import unit

SMALL: dict[str, Any] = {"segments": 3, "heads": 2, "bottleneck": 2.0, "head_ratio": 2}


def make(seed: int = 0, **config: Any) -> LateFusion:
    method = build_method(LateFusion, LateFusionConfig(**{**SMALL, **config}), Backbone(6, 8, 100.0), seed=seed)
    assert isinstance(method, LateFusion)
    return method


def reference_logits(method: LateFusion, batch: ClipBatch, text: TextBank) -> np.ndarray:
    config, state = method._config, state_of(method)
    assert batch.frames is not None
    logits = np.empty((len(batch.frames), len(text.vectors)))
    for clip in range(len(batch.frames)):
        a = reference_vector(method, batch, clip)
        a = unit(a) if config.n2 else a
        frames = [frame.numpy() for frame in batch.frames[clip]]
        video = sum(unit(f) if config.frame_pool == "norm_then_norm" else f for f in frames) / len(frames)
        video = unit(video) if config.n3 else video
        for name, vector in enumerate(text.vectors.numpy()):
            logits[clip, name] = math.exp(state["logit_scale"]) * (unit(video + config.scale * a) @ unit(vector))
    return logits


@pytest.mark.parametrize(
    "config",
    [{}, {"streams": "full"}, {"n2": True}, {"n3": True}, {"scale": 1.0, "frame_pool": "norm_then_norm"}],
)
def test_logits_at_step_0_equal_the_equation(config: dict[str, Any]) -> None:
    method = make(**config).double().eval()
    batch, text = world()
    with torch.no_grad():
        logits = method(batch, text)
    np.testing.assert_allclose(logits.numpy(), reference_logits(method, batch, text), rtol=1e-9, atol=1e-9)


def test_adapter_inputs_and_parameters_are_those_of_x_mic() -> None:
    ours, theirs = make(seed=3), build_method(XMIC, XMICConfig(**SMALL), Backbone(6, 8, 100.0), seed=3)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=0)
    assert isinstance(theirs, XMIC)
    batch, _ = single(*world())
    assert torch.equal(ours.vector(batch), theirs.vector(batch))
    assert LateFusion.needs == XMIC.needs
    with torch.device("meta"):
        official = LateFusion(LateFusionConfig(), Backbone(512, 512, 100.0))
    assert sum(p.numel() for p in official.parameters() if p.requires_grad) == 3_594_657


def test_without_a_vector_it_is_zero_shot_clip() -> None:
    method, (batch, text) = make(), single(*world())
    assert batch.frames is not None
    zero_shot = ZeroShot(ZeroShotConfig("raw_then_norm"), Backbone(6, 8, 100.0))
    logits = method.classify(torch.zeros(2, 6), batch.frames, text)
    torch.testing.assert_close(logits.detach(), zero_shot(batch, text), rtol=1e-4, atol=1e-3)


def test_gradients_are_those_of_finite_differences() -> None:
    method, (batch, text) = make().double(), world()
    vector = method.vector(batch).detach().requires_grad_()
    assert batch.frames is not None
    frames = batch.frames

    def logits(a: Tensor) -> Tensor:
        return method.classify(a, frames, text)

    assert torch.autograd.gradcheck(logits, (vector,))
    F.cross_entropy(method(batch, text), torch.tensor([1, 4])).backward()
    assert all(p.grad is not None for p in method.parameters())


def test_logits_stay_float32_under_autocast() -> None:
    method, (batch, text) = make(), single(*world())
    assert batch.frames is not None
    vector = method.vector(batch).detach()
    plain = method.classify(vector, batch.frames, text)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(method.classify(vector, batch.frames, text), plain)
    assert plain.dtype == torch.float32


def test_statistics_are_the_norms_that_are_summed() -> None:
    method, (batch, text) = make(), single(*world())
    assert batch.frames is not None
    assert method.statistics(batch, text) == {
        "logit_scale": pytest.approx(100),
        "video_norm": pytest.approx(batch.frames.mean(1).norm(dim=-1).mean().item()),
        "xmic_norm": pytest.approx(2 * method.vector(batch).norm(dim=-1).mean().item()),
    }


def test_presets_are_those_of_x_mic_but_the_video_stays_raw_in_the_sum() -> None:
    for preset in ("official", "xmic-code", "paper", "recommended"):
        ours, theirs = resolve_config(LateFusion, preset), resolve_config(XMIC, preset)
        pool = {"frame_pool": ""}
        assert (vars(ours.config) | pool, ours.recipe) == (vars(theirs.config) | pool, theirs.recipe)
        # A unit video vector would drown in a_v, whose length is about 20.
        assert ours.config.frame_pool == "raw_then_norm"


def test_what_is_refused_is_refused_in_its_own_name() -> None:
    with pytest.raises(UsageError, match="late-fusion: heads=3 must divide"):
        make(heads=3)
