from __future__ import annotations

import pytest

from pipelines.methods.backbone import Widths
from pipelines.methods.base import resolve_config
from pipelines.methods.prompts import context_start
from pipelines.methods.vita_clip import VitaCLIP
from pipelines.methods.weightless import weightless


def test_both_towers_have_the_sizes_asked_for():
    found = weightless(Widths(256, 128, 64, 192, 5))
    assert (found.dim, found.dim_v2) == (256, 128)
    assert (found.text_tower.width, found.text_tower.dim, found.text_tower.context) == (64, 256, 77)
    assert (found.visual_tower.width, len(found.visual_tower.layers), found.visual_tower.heads) == (192, 5, 3)


def test_words_to_start_from_are_a_token_each():
    tower = weightless(Widths(text=64)).text_tower
    assert context_start(tower, "coop", 4, "a photo of a").shape == (4, 64)


@pytest.mark.parametrize(("overrides", "count"), [({}, 28_604_417), ({"frames": 8}, 28_524_545)])
def test_vita_clip_has_the_parameters_of_its_paper_at_the_sizes_of_vit_b_16(overrides, count):
    config = resolve_config(VitaCLIP, "official", overrides).config
    assert VitaCLIP.parameters_for(config, Widths()) == count
