from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pipelines.embed.encoders import load_encoder
from tests.pipelines.embed.encoders.tiny_clip import SPEC, options


@pytest.fixture(scope="module")
def tiny():
    return load_encoder(SPEC, **options())


@pytest.fixture(scope="module")
def pictures():
    """Photograph-like pictures of several shapes."""
    found = []
    for seed, (height, width) in enumerate([(256, 342), (480, 270), (224, 224), (90, 120), (300, 301)]):
        coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
        found.append(np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)))
    return found
