from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from open_clip.model import CLIP

from data_manifests.errors import UsageError
from pipelines.embed.encoders import load_encoder
from pipelines.embed.encoders.open_clip_visual import open_visual_tower
from tests.pipelines.methods.small_towers import MEAN, STD, run, transformer

TINY = Path(__file__).resolve().parents[4] / "examples" / "tiny-clip.json"


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
        open_visual_tower(visual, MEAN, STD, "open_clip:other")


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
