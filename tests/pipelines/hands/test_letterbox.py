from __future__ import annotations

import numpy as np
import pytest
import torch

from pipelines.hands.letterbox import PAD, Letterbox, to_frames
from pipelines.hands.yolo_network import import_ultralytics

SIZE, STRIDE = 160, 32


@pytest.mark.parametrize("size", [(320, 180), (181, 320), (97, 96), (40, 30), (1920, 1080), (640, 64), (64, 640)])
def test_the_letterbox_is_ultralytics_own(size: tuple[int, int]) -> None:
    width, height = size
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    place = Letterbox.of(width, height, SIZE, STRIDE)
    drawn = np.full((place.height, place.width, 3), PAD, np.uint8)
    place.draw(frame, drawn)
    theirs = import_ultralytics("ultralytics.data.augment").LetterBox((SIZE, SIZE), auto=True, stride=STRIDE)
    assert np.array_equal(drawn, theirs(image=frame))


@pytest.mark.parametrize("size", [(320, 180), (71, 333), (200, 200), (3000, 10)])
def test_the_input_is_the_smallest_that_holds_the_frame(size: tuple[int, int]) -> None:
    place = Letterbox.of(*size, SIZE, STRIDE)
    assert max(place.inner_width, place.inner_height) == SIZE
    for side, inner in ((place.width, place.inner_width), (place.height, place.inner_height)):
        assert side % STRIDE == 0
        assert inner <= side < inner + STRIDE


def test_corners_in_the_input_come_back_as_shares_of_the_frame() -> None:
    wide, tall = Letterbox.of(320, 160, SIZE, STRIDE), Letterbox.of(160, 320, SIZE, STRIDE)  # bars of 8 pixels
    corners = torch.tensor([[0.0, 8.0, 80.0, 48.0], [-5.0, 0.0, 200.0, 96.0], [8.0, 0.0, 48.0, 80.0]])
    found = to_frames(corners, torch.tensor([0, 0, 1]), [wide, tall])
    assert found.tolist() == [[0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.5, 0.5]]
