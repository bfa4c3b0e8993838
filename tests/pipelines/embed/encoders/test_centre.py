from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

from pipelines.embed.encoders.centre import ResizedCentre, with_resized_centre

_EXACT = [(456, 256), (512, 256), (256, 512), (320, 256), (1024, 576), (64, 96), (150, 96), (300, 128), (500, 224)]
_OTHERS = [(455, 256), (341, 256), (1280, 720), (256, 455), (1, 1), (2, 3), (224, 224), (500, 223)]
_LONG = [(7, 300), (300, 7), (14, 300), (300, 3000), (3000, 300), (256, 2560), (40, 1500), (1500, 40)]


@pytest.mark.parametrize("mode", [InterpolationMode.BICUBIC, InterpolationMode.BILINEAR])
@pytest.mark.parametrize("side", [128, 224, 336])
def test_the_centre_is_torchvisions_to_the_bit(side: int, mode: InterpolationMode) -> None:
    random = np.random.default_rng(side)
    official = [Resize(side, mode), CenterCrop((side, side))]
    (ours,) = with_resized_centre(official)
    assert isinstance(ours, ResizedCentre)
    drawn = [tuple(int(length) for length in random.integers(2, 700, 2)) for _ in range(60)]
    for width, height in [*_EXACT, *_OTHERS, *_LONG, *drawn]:
        picture = Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8))
        found, expected = ours(picture), Compose(official)(picture)
        assert (found.size, found.tobytes()) == (expected.size, expected.tobytes()), (width, height)


def test_only_a_resize_and_a_centre_crop_of_one_side_are_replaced() -> None:
    def last(picture: Image.Image) -> Image.Image:
        return picture

    resize, crop = Resize(128, InterpolationMode.BICUBIC), CenterCrop(128)
    assert with_resized_centre([resize, crop, last]) == [ResizedCentre(resize, crop), last]
    kept = [
        [resize, CenterCrop(96)],
        [Resize((128, 128), InterpolationMode.BICUBIC), crop],
        [Resize(128, InterpolationMode.BICUBIC, max_size=200), crop],
        [Resize(128, InterpolationMode.NEAREST), crop],
        [crop, resize],
        [last],
    ]
    for steps in kept:
        assert with_resized_centre(steps) == steps
