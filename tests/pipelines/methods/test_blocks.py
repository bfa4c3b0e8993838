from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pipelines.methods.blocks import (
    AttentionBlock,
    QuickGELU,
    WideLayerNorm,
    at_least_float32,
    exact_float32,
    no_tf32,
    normalise,
    pool_frames,
)


@pytest.mark.parametrize(
    ("dim", "bottleneck", "parameters"),
    [
        (256, 4, 297_280),
        (256, 0.25, 789_760),
        (512, 4, 1_184_384),
        (512, 0.25, 3_152_384),
        (768, 4, 2_661_312),
        (1024, 4, 4_728_064),
    ],
)
def test_a_block_has_the_parameters_of_the_official_code(dim: int, bottleneck: float, parameters: int) -> None:
    with torch.device("meta"):
        block = AttentionBlock(dim, 4, bottleneck)
    assert sum(p.numel() for p in block.parameters()) == parameters


def test_quick_gelu_follows_its_formula() -> None:
    x = np.linspace(-4, 4, 9)
    expected = x / (1 + np.exp(-1.702 * x))
    np.testing.assert_allclose(QuickGELU()(torch.from_numpy(x)).numpy(), expected, rtol=1e-12)


def test_a_block_has_no_token_order() -> None:
    torch.manual_seed(0)
    block, x, order = AttentionBlock(8, 2, 4).double(), torch.randn(3, 5, 8).double(), [3, 0, 4, 1, 2]
    torch.testing.assert_close(block(x)[:, order], block(x[:, order]))


def test_a_block_gives_the_same_in_training_and_in_evaluation() -> None:
    torch.manual_seed(0)
    block, x = AttentionBlock(8, 2, 4).double(), torch.randn(3, 5, 8).double()
    with torch.no_grad():
        torch.testing.assert_close(block.train()(x), block.eval()(x))


@pytest.mark.parametrize("length", [1, 2, 16])
def test_attention_and_its_gradients_are_those_of_the_framework(length: int) -> None:
    torch.manual_seed(0)
    block, tokens = AttentionBlock(32, 4, 4).double(), torch.randn(3, length, 32).double()
    found, expected = tokens.clone().requires_grad_(), tokens.clone().requires_grad_()

    block(found).square().sum().backward()
    gradients = [p.grad.clone() for p in block.parameters() if p.grad is not None]
    block.zero_grad()
    normed = block.norm1(expected)
    u = expected + block.attention(normed, normed, normed, need_weights=False)[0]
    (u + block.mlp(block.norm2(u))).square().sum().backward()

    assert len(gradients) == len(list(block.parameters()))
    for ours, theirs in zip(
        [found.grad, *gradients], [expected.grad, *(p.grad for p in block.parameters())], strict=True
    ):
        assert ours is not None
        assert theirs is not None
        scale = theirs.abs().max().item()
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-14 * max(scale, 1))


def test_layer_norm_is_computed_in_float32_under_autocast() -> None:
    torch.manual_seed(0)
    norm, x = WideLayerNorm(64), 100 + torch.randn(4, 64).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = norm(x)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, F.layer_norm(x.float(), (64,)), rtol=0, atol=0)


def test_a_zero_vector_normalises_to_zero() -> None:
    assert torch.equal(normalise(torch.zeros(2, 3)), torch.zeros(2, 3))


def test_half_precision_is_widened_and_double_kept() -> None:
    dtypes = [at_least_float32(torch.zeros(1, dtype=d)).dtype for d in (torch.float16, torch.float32, torch.float64)]
    assert dtypes == [torch.float32, torch.float32, torch.float64]


def test_both_forms_of_pooling_follow_their_formula() -> None:
    frames = np.array([[[3.0, 0.0], [0.0, 1.0]]])
    raw = np.array([1.5, 0.5])
    unit = np.array([0.5, 0.5])
    for how, mean in (("raw_then_norm", raw), ("norm_then_norm", unit)):
        pooled = pool_frames(torch.from_numpy(frames), how).numpy()  # type: ignore[arg-type]
        np.testing.assert_allclose(pooled, [mean / np.linalg.norm(mean)])


def test_exact_float32_lifts_autocast_and_tf32_and_puts_them_back() -> None:
    before = torch.get_float32_matmul_precision()
    a = torch.randn(4, 4)
    try:
        torch.set_float32_matmul_precision("high")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            with exact_float32(torch.device("cpu")):
                assert torch.get_float32_matmul_precision() == "highest"
                assert not torch.backends.cudnn.allow_tf32
                assert (a @ a).dtype == torch.float32
            assert (a @ a).dtype == torch.bfloat16
        with pytest.raises(RuntimeError, match="inside"), no_tf32():
            raise RuntimeError("inside")
        assert torch.get_float32_matmul_precision() == "high"
        assert torch.backends.cudnn.allow_tf32
    finally:
        torch.set_float32_matmul_precision(before)
