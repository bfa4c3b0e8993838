from __future__ import annotations

import numpy as np
import pytest
import torch

from data_manifests.errors import InputError
from pipelines.methods.backbone import Backbone
from pipelines.methods.base import ClipBatch, TextBank, resolve_config
from pipelines.methods.zero_shot import ZeroShot, ZeroShotConfig

RNG = np.random.default_rng(0)
FRAMES, TEXT = 10 * RNG.standard_normal((3, 4, 5)), 7 * RNG.standard_normal((6, 5))
BANK = TextBank(torch.from_numpy(TEXT).float(), 100.0, [str(c) for c in range(6)])


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


@pytest.mark.parametrize("pool", ["norm_then_norm", "raw_then_norm"])
def test_logits_follow_the_equation(pool: str) -> None:
    method = ZeroShot(ZeroShotConfig(pool), Backbone(5, 5, 100.0))  # type: ignore[arg-type]
    expected = np.empty((3, 6))
    for clip in range(3):
        frames = unit(FRAMES[clip]) if pool == "norm_then_norm" else FRAMES[clip]
        for name in range(6):
            expected[clip, name] = 100 * unit(frames.mean(0)) @ unit(TEXT[name])
    logits = method(ClipBatch(frames=torch.from_numpy(FRAMES)), BANK)
    np.testing.assert_allclose(logits.numpy(), expected, rtol=1e-4, atol=1e-4)


def test_normalising_before_the_average_is_the_default() -> None:
    assert resolve_config(ZeroShot).config.frame_pool == "norm_then_norm"


def test_nothing_is_learned() -> None:
    assert list(ZeroShot(ZeroShotConfig(), Backbone(5, 5, 100.0)).parameters()) == []


def test_logits_stay_float32_under_autocast() -> None:
    method, batch = ZeroShot(ZeroShotConfig(), Backbone(5, 5, 100.0)), ClipBatch(frames=torch.from_numpy(FRAMES).half())
    plain = method(batch, BANK)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(method(batch, BANK), plain)
    assert plain.dtype == torch.float32


def test_statistics_are_the_scale_and_the_raw_norm_of_the_text() -> None:
    statistics = ZeroShot(ZeroShotConfig(), Backbone(5, 5, 100.0)).statistics(ClipBatch(), BANK)
    assert statistics == {"logit_scale": 100.0, "text_norm": pytest.approx(np.linalg.norm(TEXT, axis=1).mean())}


def test_a_batch_without_frames_is_refused() -> None:
    with pytest.raises(InputError, match=r"zero-shot needs the frames vectors of each clip, but the batch has none"):
        ZeroShot(ZeroShotConfig(), Backbone(5, 5, 100.0))(ClipBatch(), BANK)
