from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from data_manifests.errors import InputError, UsageError
from pipelines.evaluate.controls import other_clip, reordered, scores_under
from pipelines.evaluate.current import checked_control
from pipelines.evaluate.options import Control
from pipelines.methods.backbone import Backbone
from pipelines.methods.base import ClipBatch, TextBank, build_method
from pipelines.methods.late_fusion import LateFusion, LateFusionConfig
from pipelines.methods.xmic import XMIC, XMICConfig
from pipelines.methods.zero_shot import ZeroShot, ZeroShotConfig
from pipelines.train import data as train_data

RNG = np.random.default_rng(0)
FRAMES = torch.from_numpy(RNG.standard_normal((5, 2, 8))).float()
TEXT = TextBank(torch.from_numpy(RNG.standard_normal((4, 8))).float(), 100.0, ["a", "b", "c", "d"])
SMALL: dict[str, Any] = {"segments": 2, "heads": 2, "bottleneck": 2.0, "head_ratio": 2}


class Clips:
    labels = np.zeros(5, np.int64)

    def __len__(self) -> int:
        return 5

    def batch(self, indices: np.ndarray, epoch: int) -> ClipBatch:
        return ClipBatch(FRAMES[indices], FRAMES[indices], FRAMES[indices])


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_data, "BATCH", 2)


def make(kind: str) -> XMIC:
    if kind == "xmic":
        method = build_method(XMIC, XMICConfig(**SMALL), Backbone(8, 8, 100.0), seed=0)
    else:
        method = build_method(LateFusion, LateFusionConfig(**SMALL), Backbone(8, 8, 100.0), seed=0)
    assert isinstance(method, XMIC)
    return method.eval()


def scores(method: XMIC, how: Any) -> torch.Tensor:
    return scores_under(method, Clips(), TEXT, how, np.random.default_rng(7))


@pytest.mark.parametrize("kind", ["xmic", "late-fusion"])
def test_each_clip_is_scored_under_what_replaces_its_vector(kind: str) -> None:
    method = make(kind)
    with torch.no_grad():
        own = method.vector(Clips().batch(np.arange(5), 0))
        other = own[other_clip(5, np.random.default_rng(7))]
        for how, vectors in (("own", own), ("mean", own.mean(0).expand(5, -1)), ("shuffled", other)):
            torch.testing.assert_close(
                scores(method, how), method.classify(vectors, FRAMES, TEXT), rtol=1e-4, atol=1e-4
            )
        assert not torch.allclose(scores(method, "shuffled"), scores(method, "own"), atol=1e-2)


@pytest.mark.parametrize("kind", ["xmic", "late-fusion"])
def test_without_a_vector_zero_shot_clip_is_left(kind: str) -> None:
    zero_shot = ZeroShot(ZeroShotConfig("raw_then_norm"), Backbone(8, 8, 100.0))
    expected = zero_shot(ClipBatch(FRAMES), TEXT)
    torch.testing.assert_close(scores(make(kind), "zero"), expected, rtol=1e-4, atol=1e-3)


@given(st.integers(2, 50), st.integers(0, 100))
def test_the_other_clip_is_never_the_clip_itself_and_each_is_used_once(clips: int, seed: int) -> None:
    other = other_clip(clips, np.random.default_rng(seed))
    assert sorted(other) == list(range(clips))
    assert (other != np.arange(clips)).all()


def test_a_single_clip_has_no_other() -> None:
    with pytest.raises(InputError, match="1 clip to score: there is no other clip to take the X-MIC vector from"):
        other_clip(1, np.random.default_rng(0))


def test_only_methods_with_an_x_mic_vector_take_the_controls() -> None:
    assert checked_control(Control("mean"), {"method": "late-fusion"}) == Control("mean")
    assert checked_control(Control(order="reversed"), {"method": "zero-shot"}).order == "reversed"
    with pytest.raises(
        UsageError, match="--xmic-vector zero: zero-shot has no X-MIC vector; xmic and late-fusion have"
    ):
        checked_control(Control("zero"), {"method": "zero-shot"})
    with pytest.raises(UsageError, match="--xmic-vector none: expected own, mean, shuffled, zero"):
        checked_control(Control("none"), {"method": "xmic"})  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="--frame-order sideways: expected own, shuffled, reversed"):
        checked_control(Control(order="sideways"), {"method": "xmic"})  # type: ignore[arg-type]


def test_frames_are_reordered_alike_in_every_stream_of_frames() -> None:
    frames = torch.arange(12.0).reshape(2, 6, 1).expand(2, 6, 3).contiguous()
    clip, pixels = torch.ones(2, 1, 3), torch.arange(12).reshape(2, 6, 1, 1, 1)
    batch = ClipBatch(clip, frames, frames + 100, pixels)
    back = reordered(batch, "reversed", np.random.default_rng(0))
    assert back.hand is not None
    assert back.hand[:, :, 0].tolist() == [[5.0, 4, 3, 2, 1, 0], [11.0, 10, 9, 8, 7, 6]]
    mixed = reordered(batch, "shuffled", np.random.default_rng(0))
    assert mixed.hand is not None
    assert not torch.equal(mixed.hand, frames)
    assert torch.equal(mixed.hand.sort(1).values, frames)
    # Each clip has an order of its own.
    assert not torch.equal(mixed.hand[0, :, 0], mixed.hand[1, :, 0] - 6)
    for found in (back, mixed):
        assert found.frames is not None
        assert found.pixels is not None
        assert torch.equal(found.frames, clip)
        assert torch.equal(found.full, found.hand + 100)  # type: ignore[arg-type, operator]
        assert torch.equal(found.pixels[:, :, 0, 0, 0].float(), found.hand[:, :, 0])  # type: ignore[index]
    assert reordered(batch, "own", np.random.default_rng(0)) is batch
