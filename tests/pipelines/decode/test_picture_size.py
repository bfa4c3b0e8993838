"""The size is read as the decoders read it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipelines.decode.encode_jpeg import from_jpeg, from_png
from pipelines.decode.picture_size import stated_size


def _jpeg(width: int, height: int, *parameters: int) -> bytes:
    return cv2.imencode(".jpg", np.zeros((height, width, 3), np.uint8), list(parameters))[1].tobytes()


@pytest.mark.parametrize("parameters", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 2)])
def test_the_size_of_a_jpeg_is_that_of_its_pixels(parameters: tuple[int, ...]) -> None:
    for width, height in ((1, 1), (640, 3), (7, 500)):
        data = _jpeg(width, height, *parameters)
        assert stated_size(data) == (width, height) == from_jpeg(data).shape[1::-1]


def test_the_size_of_a_png_is_that_of_its_pixels() -> None:
    data = cv2.imencode(".png", np.zeros((5, 9, 3), np.uint8))[1].tobytes()
    assert stated_size(data) == (9, 5) == from_png(data).shape[1::-1]


def test_what_stands_before_the_size_does_not_hide_it() -> None:
    data = _jpeg(64, 32)
    comment = b"\xff\xfe\x00\x0c" + b"\xff\xc0" * 5
    for before in (comment, b"\xff\xff\xff", comment + b"junk", b"\xff\x01", comment + b"\xff\x00", comment * 3):
        odd = data[:2] + before + data[2:]
        assert stated_size(odd) == (64, 32)
        assert from_jpeg(odd).shape == (32, 64, 3)


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"\xff\xd8\xff", b"\xff\xd8\xff\xc0\x00", b"\x89PNG\r\n\x1a\n", b"x" * 90]
)
def test_bytes_without_a_size_state_none(data: bytes) -> None:
    assert stated_size(data) is None
