from __future__ import annotations

import pytest
import torch
from open_clip.transformer import QuickGELU

from pipelines.methods.visual_tower import VisualTower
from tests.pipelines.methods.small_towers import MEAN, STD, run, transformer


@pytest.mark.parametrize(
    "options",
    [{}, {"act_layer": QuickGELU}, {"no_ln_pre": True}, {"ls_init_value": 0.3}, {"final_ln_after_pool": True}],
    ids=["GELU", "QuickGELU", "no first norm", "layer scale", "norm after pooling"],
)
def test_layer_by_layer_the_vectors_are_those_of_the_whole_model(options):
    visual = transformer(**options).double()
    pictures = torch.randn(5, 3, 16, 16, dtype=torch.float64)
    tower = VisualTower(visual, MEAN, STD)
    torch.testing.assert_close(run(tower, pictures), visual(pictures), rtol=1e-12, atol=1e-12)


def test_what_is_asked_of_a_tower_before_a_method_is_built():
    tower = VisualTower(transformer(), MEAN, STD)
    assert (tower.width, tower.dim, tower.heads, tower.patch, tower.size, tower.tokens) == (24, 10, 4, 8, 16, 5)
    assert len(tower.layers) == 3


def test_other_tokens_are_attended_to_in_any_order_and_are_not_moved():
    layer = VisualTower(transformer().double(), MEAN, STD).layers[1]
    x, others = torch.randn(2, 5, 24, dtype=torch.float64), torch.randn(2, 3, 24, dtype=torch.float64)
    together = layer.attend(torch.cat([x, others], 1), x[:, :0])
    torch.testing.assert_close(layer.attend(x, others), together[:, :5])
    torch.testing.assert_close(layer.attend(x, others.flip(1)), together[:, :5])


def test_gradients_flow_through_it_and_its_weights_take_none():
    visual = transformer()
    tower = VisualTower(visual, MEAN, STD)
    pictures = torch.randn(2, 3, 16, 16, requires_grad=True)
    run(tower, pictures).sum().backward()
    assert pictures.grad.abs().sum() > 0
    assert all(not p.requires_grad and p.grad is None for p in visual.parameters())


def test_the_offset_stands_on_every_token_before_the_first_norm():
    visual = transformer(no_ln_pre=True).double()
    tower = VisualTower(visual, MEAN, STD)
    pictures = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    offset = torch.randn(2, 1, 24, dtype=torch.float64)
    moved = tower.stem(pictures, offset) - tower.stem(pictures, torch.zeros_like(offset))
    torch.testing.assert_close(moved, offset.expand_as(moved))
