from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from open_clip.model import CLIP
from open_clip.transformer import QuickGELU, VisionTransformer
from torch import nn

from data_manifests.errors import UsageError
from pipelines.embed.encoders import load_encoder
from pipelines.methods.visual_tower import VisualTower

MEAN, STD = [0.5, 0.4, 0.3], [0.2, 0.3, 0.4]
TINY = Path(__file__).resolve().parents[3] / "examples" / "tiny-clip.json"


def transformer(**options):
    torch.manual_seed(1)
    visual = VisionTransformer(
        **{"image_size": 16, "patch_size": 8, "width": 24, "layers": 3, "heads": 4, "mlp_ratio": 4.0, "output_dim": 10}
        | options
    )
    for parameter in visual.parameters():
        nn.init.normal_(parameter, std=0.2)
    return visual


def run(tower, pictures):
    x = tower.stem(pictures, torch.zeros(1, 1, tower.width, dtype=pictures.dtype))
    for layer in tower.layers:
        x = layer.feed(layer.attend(x, x[:, :0]))
    return tower.project(x[:, 0])


@pytest.mark.parametrize(
    "options",
    [{}, {"act_layer": QuickGELU}, {"no_ln_pre": True}, {"ls_init_value": 0.3}, {"final_ln_after_pool": True}],
    ids=["GELU", "QuickGELU", "no first norm", "layer scale", "norm after pooling"],
)
def test_layer_by_layer_the_vectors_are_those_of_the_whole_model(options):
    visual = transformer(**options).double()
    pictures = torch.randn(5, 3, 16, 16, dtype=torch.float64)
    tower = VisualTower(visual, MEAN, STD, "tiny")
    torch.testing.assert_close(run(tower, pictures), visual(pictures), rtol=1e-12, atol=1e-12)


def test_what_is_asked_of_a_tower_before_a_method_is_built():
    tower = VisualTower(transformer(), MEAN, STD, "tiny")
    assert (tower.width, tower.dim, tower.heads, tower.patch, tower.size, tower.tokens) == (24, 10, 4, 8, 16, 5)
    assert len(tower.layers) == 3


def test_other_tokens_are_attended_to_in_any_order_and_are_not_moved():
    layer = VisualTower(transformer().double(), MEAN, STD, "tiny").layers[1]
    x, others = torch.randn(2, 5, 24, dtype=torch.float64), torch.randn(2, 3, 24, dtype=torch.float64)
    together = layer.attend(torch.cat([x, others], 1), x[:, :0])
    torch.testing.assert_close(layer.attend(x, others), together[:, :5])
    torch.testing.assert_close(layer.attend(x, others.flip(1)), together[:, :5])


def test_gradients_flow_through_it_and_its_weights_take_none():
    visual = transformer()
    tower = VisualTower(visual, MEAN, STD, "tiny")
    pictures = torch.randn(2, 3, 16, 16, requires_grad=True)
    run(tower, pictures).sum().backward()
    assert pictures.grad.abs().sum() > 0
    assert all(not p.requires_grad and p.grad is None for p in visual.parameters())


def test_the_offset_stands_on_every_token_before_the_first_norm():
    visual = transformer(no_ln_pre=True).double()
    tower = VisualTower(visual, MEAN, STD, "tiny")
    pictures = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    offset = torch.randn(2, 1, 24, dtype=torch.float64)
    moved = tower.stem(pictures, offset) - tower.stem(pictures, torch.zeros_like(offset))
    torch.testing.assert_close(moved, offset.expand_as(moved))


@pytest.mark.parametrize(
    ("visual", "says"),
    [
        (transformer(pool_type="avg"), "class token"),
        (transformer(attentional_pool=True, attn_pooler_heads=2), "class token"),
        (transformer(qk_norm=True), "blocks of another form"),
        (CLIP(8, {"layers": (1, 1, 1, 1), "width": 8, "image_size": 32}, {"width": 8, "heads": 2}).visual, "ResNet"),
    ],
    ids=["average", "attentional pool", "normed queries", "ResNet"],
)
def test_another_kind_of_tower_is_refused_by_name(visual, says):
    with pytest.raises(UsageError, match=f"open_clip:other: its image tower .*{says}"):
        VisualTower(visual, MEAN, STD, "open_clip:other")


@pytest.fixture(scope="module")
def tiny():
    options = {"precision": "fp32", "batch_size": 2, "device": "cpu", "offline": True, "allow_random_weights": True}
    return load_encoder(f"open_clip:{TINY}/random", **options)


@pytest.mark.parametrize("shape", [(90, 120, 3), (300, 256, 3), (224, 224, 3)])
def test_the_pictures_of_an_encoder_give_its_own_vectors(tiny, shape):
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    cut = tiny.picture(picture)
    assert cut.dtype == np.uint8
    assert cut.shape == (3, 224, 224)
    found = run(tiny.visual_tower(), torch.from_numpy(cut)[None])
    np.testing.assert_allclose(found.numpy(), tiny.embed([tiny.preprocess(picture)]), atol=1e-5)
    torch.testing.assert_close(found, run(tiny.visual_tower(), tiny.preprocess(picture)[None]), rtol=0, atol=0)


def test_an_encoder_in_half_precision_gives_no_tower():
    options = {"precision": "bf16", "batch_size": 2, "device": "cpu", "offline": True, "allow_random_weights": True}
    with pytest.raises(UsageError, match="fp32"):
        load_encoder(f"open_clip:{TINY}/random", **options).visual_tower()
