from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from pipelines.engine.feed import HostLanes
from pipelines.hands.letterbox import PAD, Letterbox
from pipelines.hands.yolo_input import DeviceInput, HostInput, input_of, resized
from pipelines.hands.yolo_network import import_ultralytics
from tests.pipelines.engine.late_lanes import LateLanes

CPU = torch.device("cpu")
SIZE, STRIDE = 160, 32
SIZES = [(456, 256, 640, 359), (1920, 1080, 640, 360), (912, 512, 456, 256), (64, 48, 160, 120), (10, 10, 160, 160)]


def pictures(count, width, height, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), np.uint8)


@pytest.mark.parametrize(("width", "height", "to_width", "to_height"), [*SIZES, (333, 71, 160, 34), (3, 500, 1, 160)])
def test_pictures_are_resized_as_by_opencv_to_the_bit(width, height, to_width, to_height):
    given = pictures(2, width, height)
    found = resized(torch.from_numpy(given), to_width, to_height)
    for mine, picture in zip(found, given, strict=True):
        theirs = cv2.resize(picture, (to_width, to_height), interpolation=cv2.INTER_LINEAR)
        np.testing.assert_array_equal(mine.numpy(), theirs)


def test_pictures_of_any_size_are_resized_as_by_opencv():
    sides = np.random.default_rng(1).integers(1, 90, (60, 4)).tolist()
    for number, (width, height, to_width, to_height) in enumerate(sides):
        (given,) = pictures(1, width, height, number)
        theirs = cv2.resize(given, (to_width, to_height), interpolation=cv2.INTER_LINEAR)
        np.testing.assert_array_equal(resized(torch.from_numpy(given)[None], to_width, to_height)[0].numpy(), theirs)


def seen(way, images):
    """The pixels that the network gets, and the first value of each input as its result."""
    places = [Letterbox.of(image.shape[1], image.shape[0], SIZE, STRIDE) for image in images]
    pixels = []

    def run(batch):
        pixels.append(batch.clone())
        return batch

    result = way.begin(images, places, run, lambda batch: batch[:, 0, 0, 0].tolist())
    return result(), pixels[0]


@pytest.mark.parametrize("sizes", [[(320, 180)], [(320, 180)] * 4, [(320, 180), (640, 360), (640, 360), (160, 90)]])
def test_frames_drawn_on_the_device_have_the_pixels_of_those_drawn_on_the_host(sizes):
    images = [picture for number, size in enumerate(sizes) for picture in pictures(1, *size, number)]
    _, host = seen(HostInput(HostLanes(CPU), 4), images)
    way = DeviceInput(HostLanes(CPU), 4)
    _, device = seen(way, images)
    assert host.shape == device.shape == (4, 3, 96, SIZE)
    assert torch.equal(host, device)
    assert host.is_contiguous(memory_format=torch.channels_last)
    assert device.is_contiguous(memory_format=torch.channels_last)
    assert (device[len(images) :] == torch.tensor(PAD) / 255).all()
    _, again = seen(way, images[:1])
    assert torch.equal(again[0], host[0])


def test_pixels_in_bfloat16_are_those_of_float32_rounded():
    every = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    place = Letterbox.of(16, 16, 32, 32)
    both = [HostInput(HostLanes(CPU), 2, dtype) for dtype in (torch.float32, torch.bfloat16)]
    plain, rounded = (way.begin([every], [place], lambda batch: batch.clone(), lambda batch: batch)() for way in both)
    assert rounded.dtype == torch.bfloat16
    assert plain.unique().numel() > 100
    assert torch.equal(rounded, plain.to(torch.bfloat16))
    assert rounded.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("size", [(320, 180), (181, 320), (97, 96), (640, 64)])
def test_the_letterbox_on_the_device_is_ultralytics_own(size):
    (image,) = pictures(1, *size)
    theirs = import_ultralytics("ultralytics.data.augment").LetterBox((SIZE, SIZE), auto=True, stride=STRIDE)
    _, pixels = seen(DeviceInput(HostLanes(CPU), 1), [image])
    np.testing.assert_array_equal((pixels[0].permute(1, 2, 0) * 255).round().byte().numpy(), theirs(image=image))


def test_a_larger_frame_gets_more_room():
    way = DeviceInput(HostLanes(CPU), 2)
    for size in ((64, 36), (640, 360), (64, 36)):
        images = list(pictures(2, *size))
        assert torch.equal(seen(way, images)[1], seen(HostInput(HostLanes(CPU), 2), images)[1])


def test_batches_begun_ahead_get_their_own_frames():
    for seed in range(5):
        ways = [way(lanes, 2) for way, lanes in ((DeviceInput, LateLanes(seed)), (HostInput, HostLanes(CPU)))]
        batches = [list(pictures(2, 320, 180, number)) for number in range(4)]
        place = Letterbox.of(320, 180, SIZE, STRIDE)
        late, plain = (
            [
                result()
                for result in [
                    way.begin(images, [place] * 2, lambda batch: batch.clone(), lambda batch: batch.tolist())
                    for images in batches
                ]
            ]
            for way in ways
        )
        assert late == plain


def test_frames_are_drawn_where_it_is_fast():
    assert isinstance(input_of(torch.device("cuda"), HostLanes(CPU), 1, torch.float16), DeviceInput)
    assert isinstance(input_of(CPU, HostLanes(CPU), 1, torch.float32), HostInput)
