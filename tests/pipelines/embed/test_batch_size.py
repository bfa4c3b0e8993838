from __future__ import annotations

import pytest

from pipelines.embed.batch_size import MOST, found_batch_size
from pipelines.engine.batches import BatchTooLarge


class Device:
    """Speeds by batch size; larger batches than ``fits`` do not fit."""

    def __init__(self, speeds=None, fits=10**6):
        self.tried, self._speeds, self._fits = [], speeds, fits

    def __call__(self, size):
        self.tried.append(size)
        if size > self._fits:
            raise BatchTooLarge(f"{size} pictures")
        return self._speeds(size)


def test_the_batch_is_doubled_until_the_speed_stops_to_grow():
    device = Device(lambda size: min(size, 256))
    assert found_batch_size(device, 64) == 256
    assert device.tried == [64, 128, 256, 512]


def test_the_batch_is_doubled_until_it_does_not_fit():
    device = Device(lambda size: size, fits=200)
    assert found_batch_size(device, 64) == 128
    assert device.tried == [64, 128, 256]


def test_a_first_size_that_does_not_fit_is_halved_and_not_doubled_again():
    device = Device(lambda size: size, fits=20)
    assert found_batch_size(device, 64) == 16
    assert device.tried == [64, 32, 16]


def test_where_not_even_one_picture_fits_that_is_the_error():
    with pytest.raises(BatchTooLarge, match="1 pictures"):
        found_batch_size(Device(fits=0), 4)


def test_there_is_a_largest_size():
    assert found_batch_size(Device(lambda size: size), 64) == MOST
