from __future__ import annotations

import numpy as np
import pytest

from data_manifests.errors import InputError
from pipelines.decode.encode_jpeg import from_jpeg, to_jpeg


def smooth(height: int = 96, width: int = 130) -> np.ndarray:
    down, across = np.mgrid[0:height, 0:width]
    channels = [255 * across / width, 255 * down / height, np.full((height, width), 90.0)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def segments(data: bytes) -> dict[int, bytes]:
    found, at = {}, 2
    while data[at] == 0xFF and data[at + 1] != 0xDA:
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        found[data[at + 1]] = data[at + 4 : at + 2 + length]
        at += 2 + length
    return found


@pytest.mark.parametrize(("height", "width"), [(96, 130), (97, 131), (1, 1)])
def test_a_picture_comes_back_nearly_as_it_was(height: int, width: int) -> None:
    picture = smooth(height, width)
    back = from_jpeg(to_jpeg(picture, 95))
    assert back.shape == picture.shape
    assert back.dtype == np.uint8
    assert np.abs(back.astype(int) - picture).mean() < 2


def test_the_jpeg_is_baseline_with_half_chroma() -> None:
    found = segments(to_jpeg(smooth(), 95))
    assert 0xC0 in found
    assert 0xC2 not in found
    components = found[0xC0][6:]
    assert [components[3 * each + 1] for each in range(3)] == [0x22, 0x11, 0x11]


def test_equal_pixels_give_equal_bytes_and_quality_counts() -> None:
    assert to_jpeg(smooth(), 95) == to_jpeg(np.asfortranarray(smooth()), 95)
    assert len(to_jpeg(smooth(), 30)) < len(to_jpeg(smooth(), 95))


@pytest.mark.parametrize("picture", [np.zeros((4, 4)), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)])
def test_what_is_no_rgb_picture_is_refused_with_its_shape(picture: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"JPEG: got \w+ \[\d, 4.*\]; expected uint8 \[H, W, 3\]"):
        to_jpeg(picture, 95)


def test_a_jpeg_whose_damaged_header_says_it_is_huge_is_refused_as_any_other() -> None:
    data = bytearray(to_jpeg(smooth(), 95))
    size = data.find(b"\xff\xc0") + 5
    data[size : size + 4] = b"\xff" * 4
    with pytest.raises(InputError, match=r"JPEG: \d+ bytes starting with ff d8 ff are not a whole JPEG"):
        from_jpeg(bytes(data))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.95])
def test_a_cut_off_jpeg_is_refused_and_not_filled_up(share: float) -> None:
    data = to_jpeg(smooth(), 95)
    cut = data[: int(len(data) * share)]
    with pytest.raises(InputError, match=rf"JPEG: {len(cut)} bytes .* are not a whole JPEG; expected"):
        from_jpeg(cut)


def test_bytes_of_something_else_are_refused_with_their_start() -> None:
    with pytest.raises(InputError, match="16 bytes starting with 6e 6f 74 are not a whole JPEG"):
        from_jpeg(b"not a jpeg, sir!")


def test_a_hollow_jpeg_is_refused() -> None:
    with pytest.raises(InputError, match="not a whole JPEG"):
        from_jpeg(b"\xff\xd8\xff\xe0 nothing in here \xff\xd9")
