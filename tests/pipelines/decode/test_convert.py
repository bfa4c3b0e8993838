from __future__ import annotations

import gc
import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from hypothesis import given
from hypothesis import strategies as st

from pipelines.decode import convert
from pipelines.decode.convert import RgbConverter, display_matrix, scaled_size, upright
from pipelines.decode.encode_jpeg import to_jpeg


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
def test_side_data_unknown_to_pyav_does_not_hide_the_rotation(
    monkeypatch: pytest.MonkeyPatch, rotation: int, turns: int
) -> None:
    def unknown(_: object) -> None:
        raise ValueError("999 is not a valid Type")

    monkeypatch.setattr(convert, "_side_data_of", unknown)
    picture = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    matrix = display_matrix(SimpleNamespace(rotation=rotation))
    np.testing.assert_array_equal(upright(picture, matrix), np.rot90(picture, turns))


def test_a_converted_frame_is_free_without_the_search_for_cycles(
    tmp_path: Path, make_video: Callable[..., int]
) -> None:
    path = tmp_path / "turned.mp4"
    make_video(path, rotation=90, seconds=0.3)
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    converter = RgbConverter()
    gc.collect()
    gc.disable()
    try:
        while frames:
            converter.convert(frames.pop(), 0)
        assert gc.collect() == 0
    finally:
        gc.enable()


def yuv420p(
    luma: np.ndarray, cb: np.ndarray, cr: np.ndarray, colorspace: int = 5, full_range: bool = False
) -> VideoFrame:
    frame = VideoFrame(luma.shape[1], luma.shape[0], "yuv420p")
    for plane, values in zip(frame.planes, (luma, cb, cr), strict=True):
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        rows[:, : plane.width] = values
        plane.update(rows.tobytes())
    frame.colorspace, frame.color_range = colorspace, 2 if full_range else 1
    return frame


MATRICES = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 9: (0.2627, 0.0593)}
"""FFmpeg's number of a matrix → its weights of red and blue."""


def exact_rgb(ycc: tuple[int, int, int], colorspace: int, full_range: bool) -> np.ndarray:
    red_weight, blue_weight = MATRICES[colorspace]
    luma, cb, cr = float(ycc[0]), float(ycc[1] - 128), float(ycc[2] - 128)
    if not full_range:
        luma, cb, cr = (luma - 16) * 255 / 219, cb * 255 / 224, cr * 255 / 224
    red, blue = luma + 2 * (1 - red_weight) * cr, luma + 2 * (1 - blue_weight) * cb
    green = (luma - red_weight * red - blue_weight * blue) / (1 - red_weight - blue_weight)
    return np.clip([red, green, blue], 0, 255)


# At the native size swscale looks colours up in tables; they are up to four steps off.
@pytest.mark.parametrize(("short_side", "off"), [(0, 4.0), (48, 0.9)])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("colorspace", MATRICES)
def test_a_colour_follows_the_matrix_and_range_that_the_frame_states(
    colorspace: int, full_range: bool, short_side: int, off: float
) -> None:
    for ycc in ((16, 128, 128), (81, 90, 200), (145, 54, 60), (120, 170, 110), (200, 120, 140), (235, 128, 128)):
        planes = [np.full(size, value) for size, value in zip(((64, 96), (32, 48), (32, 48)), ycc, strict=True)]
        got = RgbConverter().convert(yuv420p(*planes, colorspace, full_range), short_side)
        assert np.abs(got - exact_rgb(ycc, colorspace, full_range)).max() <= off


def test_a_picture_of_half_the_size_shows_the_mean_of_every_four_pixels() -> None:
    luma = np.random.default_rng(0).integers(0, 256, (64, 96))
    grey = np.full((32, 48), 128)
    got = RgbConverter().convert(yuv420p(luma, grey, grey, full_range=True), 32)
    means = luma.reshape(32, 2, 48, 2).mean((1, 3))
    assert np.abs(got - means[..., None]).max() <= 1


def test_a_stored_picture_of_the_native_size_has_the_chroma_of_the_video() -> None:
    cb, cr = np.random.default_rng(0).integers(118, 139, (2, 32, 48))
    picture = RgbConverter().convert(yuv420p(np.full((64, 96), 128), cb, cr, full_range=True), 0)
    with av.open(io.BytesIO(to_jpeg(picture, 100))) as container:
        kept = next(container.decode(video=0))
    assert kept.format.name == "yuvj420p"
    for plane, values in zip(kept.planes[1:], (cb, cr), strict=True):
        found = np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
        assert np.abs(found - values).max() <= 3
        assert np.abs(found - values).mean() < 0.8


@pytest.mark.parametrize("height", [2, 18])
def test_a_picture_of_any_even_width_is_converted_to_its_last_column(height: int) -> None:
    for width in range(2, 140, 2):
        sides = ((height, width), (height // 2, width // 2), (height // 2, width // 2))
        planes = [np.full(size, value) for size, value in zip(sides, (81, 90, 200), strict=True)]
        got = RgbConverter().convert(yuv420p(*planes), 0)
        assert np.abs(got - exact_rgb((81, 90, 200), 5, False)).max() <= 4, width


def test_chroma_of_a_picture_of_odd_width_is_interpolated() -> None:
    luma, cb = np.full((64, 97), 128), np.full((32, 49), 128)
    cr = np.broadcast_to(np.where(np.arange(32) < 16, 88, 168)[:, None], (32, 49))
    red = RgbConverter().convert(yuv420p(luma, cb, cr, full_range=True), 0)[:, 48, 0].astype(int)
    # One sample of chroma is as high as two pixels. Doubled, it would jump in one place.
    assert np.abs(np.diff(red)).max() < 0.75 * (red.max() - red.min())


def test_a_scaled_picture_averages_areas_with_accurate_rounding(video: Callable[[str], Path]) -> None:
    with av.open(str(video("h264.mp4"))) as container:
        frame = next(container.decode(video=0))
    width, height = scaled_size(frame.width, frame.height, 64)

    def scaled(flags: Interpolation) -> np.ndarray:
        size = {"width": width, "height": height, "format": "gbrp", "threads": 1}
        return VideoReformatter().reformat(frame, interpolation=flags, **size).to_ndarray()

    got = RgbConverter().convert(frame, 64)
    exact = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
    np.testing.assert_array_equal(got, scaled(exact))
    assert np.any(got != scaled(Interpolation.BILINEAR))
