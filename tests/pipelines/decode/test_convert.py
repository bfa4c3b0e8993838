from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from av.video.reformatter import Interpolation, VideoReformatter
from hypothesis import given
from hypothesis import strategies as st

from pipelines.decode.convert import RgbConverter, display_matrix, scaled_size, upright


@pytest.mark.parametrize(
    ("size", "short_side", "expected"),
    [
        ((1920, 1080), 256, (456, 256)),
        ((1080, 1920), 256, (256, 456)),
        ((384, 288), 256, (342, 256)),
        ((300, 300), 256, (256, 256)),
        ((456, 256), 256, (456, 256)),
        ((321, 241), 256, (321, 241)),
        ((1920, 1080), 0, (1920, 1080)),
    ],
)
def test_the_short_side_is_met_and_nothing_is_upscaled(
    size: tuple[int, int], short_side: int, expected: tuple[int, int]
) -> None:
    assert scaled_size(*size, short_side) == expected


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(16, 600))
def test_the_long_side_of_a_scaled_picture_is_the_nearest_even_number(width: int, height: int, side: int) -> None:
    new_width, new_height = scaled_size(width, height, side)
    if min(width, height) <= side:
        assert (new_width, new_height) == (width, height)
        return
    assert min(new_width, new_height) == side or side % 2
    long = new_width if width > height else new_height
    exact = max(width, height) * side / min(width, height)
    assert long % 2 == 0 or width == height
    assert abs(long - exact) <= 1


@pytest.mark.parametrize("hflip", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_every_rotation_and_mirroring_of_the_display_matrix_is_undone(
    make_video: Callable[..., int], video_maker, tmp_path: Path, rotation: int, hflip: bool
) -> None:
    path = tmp_path / "turned.mp4"
    make_video(path, rotation=rotation, hflip=hflip, seconds=0.3)
    with av.open(str(path)) as container:
        frames = [RgbConverter().convert(frame, 0) for frame in container.decode(video=0)]
    assert [frame.shape for frame in frames] == [(96, 128, 3)] * 9
    assert [video_maker.read_number(frame) for frame in frames] == list(range(9))


def test_turning_moves_pixels_and_changes_none() -> None:
    picture = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    np.testing.assert_array_equal(upright(picture, (1, 0, 0, 1)), picture)
    np.testing.assert_array_equal(upright(picture, (0, -1, 1, 0)), np.rot90(picture))
    np.testing.assert_array_equal(upright(picture, (-1, 0, 0, -1)), np.rot90(picture, 2))
    np.testing.assert_array_equal(upright(picture, (0, 1, -1, 0)), np.rot90(picture, 3))


@pytest.mark.parametrize(("rotation", "turns"), [(0, 0), (90, 1), (-180, 2), (180, 2), (-90, 3)])
def test_side_data_unknown_to_pyav_does_not_hide_the_rotation(rotation: int, turns: int) -> None:
    class Frame(SimpleNamespace):
        @property
        def side_data(self) -> None:
            raise ValueError("999 is not a valid Type")

    picture = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    matrix = display_matrix(Frame(rotation=rotation))
    np.testing.assert_array_equal(upright(picture, matrix), np.rot90(picture, turns))


@pytest.mark.parametrize("short_side", [0, 64])
def test_swscale_runs_bicubic_with_accurate_rounding(video: Callable[[str], Path], short_side: int) -> None:
    with av.open(str(video("h264.mp4"))) as container:
        frame = next(container.decode(video=0))
    width, height = scaled_size(frame.width, frame.height, short_side)

    def scaled(flags: Interpolation) -> np.ndarray:
        size = {"width": width, "height": height, "format": "rgb24", "threads": 1}
        return VideoReformatter().reformat(frame, interpolation=flags, **size).to_ndarray()

    got = RgbConverter().convert(frame, short_side)
    exact = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
    np.testing.assert_array_equal(got, scaled(exact))
    # Scaled, the filter tells bicubic from the default; unscaled, the rounding tells it was accurate.
    other = Interpolation.BILINEAR if short_side else Interpolation.BICUBIC
    assert np.any(got != scaled(other))
