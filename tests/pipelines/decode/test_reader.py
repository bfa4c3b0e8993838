from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from data_manifests.errors import InputError
from pipelines.decode.plan import FramePlan
from pipelines.decode.reader import VideoReader, open_video

VFR_MS = np.array([0, 10, 20, 35, 90, 100, 160, 170, 300, 310, 320, 330, 500, 510, 520, 700, 733, 766, 800, 834])


@pytest.fixture
def numbers(video_maker) -> Callable[[VideoReader, list[float]], list[int]]:
    """The numbers that the frames chosen for some instants show, one an instant."""

    def read(reader: VideoReader, times: list[float]) -> list[int]:
        chosen = reader.select(np.array(times, dtype=np.float64))
        assert not chosen.past_end.any()
        shown = {frame.pts: video_maker.read_number(frame.rgb) for frame in reader.frames(chosen.pts)}
        return [shown[pts] for pts in chosen.pts.tolist()]

    return read


@pytest.mark.parametrize("forward", [False, True])
@pytest.mark.parametrize("kind", ["h264.mp4", "h264_open.mp4", "hevc_open.mp4", "mpeg4.mp4", "vp9.webm"])
def test_the_frame_nearest_in_time_is_shown(video: Callable[[str], Path], numbers, kind: str, forward: bool) -> None:
    times = [0.0, 0.01, 0.02, 0.1, 0.33, 0.345, 0.355, 1.0, 1.21, 1.95, 1.99]
    with open_video(video(kind), forward=forward) as reader:
        assert numbers(reader, times) == [0, 0, 1, 3, 10, 10, 11, 30, 36, 58, 59]


@pytest.mark.parametrize("forward", [False, True])
def test_uneven_gaps_need_no_frame_rate(video: Callable[[str], Path], numbers, forward: bool) -> None:
    times = np.arange(0, 0.834, 0.0013)
    nearest = np.abs(VFR_MS[None, :] / 1000 - times[:, None]).argmin(axis=1)
    with open_video(video("h264_vfr.mp4"), forward=forward) as reader:
        assert numbers(reader, times.tolist()) == nearest.tolist()


def test_an_instant_half_way_between_two_frames_gets_the_earlier(video: Callable[[str], Path], numbers) -> None:
    with open_video(video("h264_vfr.mp4")) as reader:
        assert numbers(reader, [0.005, 0.0625, 0.235, 0.61]) == [0, 3, 7, 14]
        assert numbers(reader, [0.0051, 0.0626, 0.2351, 0.6101]) == [1, 4, 8, 15]
    with open_video(video("h264.mp4")) as reader:
        halves = [(2 * number + 1) / 60 for number in range(59)]
        assert numbers(reader, halves) == list(range(59))


@pytest.mark.parametrize("kind", ["h264_late.mp4", "h264_late.mkv", "h264_open.ts"])
def test_time_starts_at_the_first_displayed_frame(video: Callable[[str], Path], numbers, kind: str) -> None:
    with open_video(video(kind)) as reader:
        assert reader.info.first_pts > 0
        assert reader.info.duration_s == pytest.approx(2.0, abs=0.002)
        assert numbers(reader, [0.0, 0.5, 1.9]) == [0, 15, 57]
        first = next(reader.frames([reader.info.first_pts]))
        assert first.time_s == 0.0


@pytest.mark.parametrize("forward", [False, True])
def test_frames_cut_away_by_an_edit_list_are_not_displayed(
    video: Callable[[str], Path], video_maker, numbers, tmp_path: Path, forward: bool
) -> None:
    video_maker.shift_video(video("h264.mp4"), tmp_path / "edited.mp4", -0.5)
    with open_video(tmp_path / "edited.mp4", forward=forward) as reader:
        assert (reader.mode == "gop") != forward
        assert reader.fallback is None
        assert reader.info.frames_indexed == 45
        assert reader.info.duration_s == pytest.approx(1.5)
        assert numbers(reader, [0.0, 0.1, 1.46]) == [15, 18, 59]


@pytest.mark.parametrize("kind", ["h264_open.mkv", "hevc_open.mkv"])
def test_leading_pictures_that_nothing_can_show_do_not_move_the_start(
    video: Callable[[str], Path], video_maker, numbers, tmp_path: Path, kind: str
) -> None:
    """A cut without re-encoding at an open group leaves pictures that refer to frames cut away."""
    path = tmp_path / f"cut{Path(kind).suffix}"
    video_maker.cut_packets(video(kind), path, 10)
    with open_video(path) as reader:
        assert reader.mode == "forward"
        assert reader.fallback is not None
        assert "the first frame shown has pts" in reader.fallback
        assert numbers(reader, [0.0, 0.1, 1.0]) == [12, 15, 42]
        assert reader.info.duration_s == pytest.approx(1.6, abs=0.002)


def test_past_the_end_by_less_than_a_frame_is_the_last_frame_and_more_is_past_the_end(
    video: Callable[[str], Path], numbers
) -> None:
    with open_video(video("h264.mp4")) as reader:
        assert reader.info.duration_s == pytest.approx(2.0)
        assert numbers(reader, [1.999, 2.0, 2.033]) == [59, 59, 59]
        assert reader.select(np.array([2.032, 2.034, 9.0])).past_end.tolist() == [False, True, True]
    with open_video(video("h264_vfr.mp4")) as reader:
        assert reader.info.duration_s == pytest.approx(0.868)
        assert reader.select(np.array([0.901, 0.903])).past_end.tolist() == [False, True]


@pytest.mark.parametrize("forward", [False, True])
def test_a_single_frame_lasts_as_long_as_the_file_says(video: Callable[[str], Path], numbers, forward: bool) -> None:
    with open_video(video("lone.mp4"), forward=forward) as reader:
        assert reader.info.frames_indexed == 1
        assert reader.info.duration_s == pytest.approx(1 / 30, abs=1e-4)
        assert numbers(reader, [0.0, 0.06]) == [0, 0]
        assert reader.select(np.array([0.07])).past_end.all()


def test_a_plan_of_a_whole_video_is_read_in_one_visit(video: Callable[[str], Path], video_maker) -> None:
    with open_video(video("h264_open.mp4")) as reader:
        times = FramePlan(candidates=3).times(0, reader.info.duration_s)
        chosen = reader.select(times)
        assert chosen.pts.shape == chosen.past_end.shape == chosen.missing.shape == (16, 3)
        frames = list(reader.frames(chosen.pts.ravel()))
        assert [frame.pts for frame in frames] == sorted(set(chosen.pts.ravel().tolist()))
        for frame in frames:
            assert frame.time_s == pytest.approx(video_maker.read_number(frame.rgb) / 30)


def test_a_clip_shorter_than_the_plan_repeats_frames(video: Callable[[str], Path]) -> None:
    with open_video(video("h264.mp4")) as reader:
        chosen = reader.select(FramePlan().times(0.5, 0.6))
        assert set(chosen.pts.ravel().tolist()) == {15 * 512, 16 * 512, 17 * 512, 18 * 512}
        assert len(list(reader.frames(chosen.pts.ravel()))) == 4


@pytest.mark.parametrize(("rotation", "stored"), [(0, (128, 96)), (90, (96, 128)), (180, (128, 96)), (270, (96, 128))])
def test_rotation_is_obeyed_in_frames_and_in_the_size(
    make_video: Callable[..., int], numbers, tmp_path: Path, rotation: int, stored: tuple[int, int]
) -> None:
    make_video(tmp_path / "turned.mp4", rotation=rotation, seconds=0.5)
    with open_video(tmp_path / "turned.mp4") as reader:
        assert (reader._stream.width, reader._stream.height) == stored
        assert (reader.info.width, reader.info.height, reader.info.rotation) == (128, 96, rotation)
        assert numbers(reader, [0.0, 0.4]) == [0, 12]
        assert next(reader.frames([0], short_side=48)).rgb.shape == (48, 64, 3)


def test_frames_come_in_the_size_asked_for(video: Callable[[str], Path]) -> None:
    with open_video(video("h264.mp4")) as reader:
        sizes = [next(reader.frames([0], short_side=side)).rgb.shape for side in (32, 95, 96, 256, 0)]
    assert sizes == [(32, 42, 3), (95, 126, 3), (96, 128, 3), (96, 128, 3), (96, 128, 3)]


def test_pixels_that_are_not_square_are_not_stretched(make_video: Callable[..., int], tmp_path: Path) -> None:
    make_video(tmp_path / "wide.mp4", seconds=0.2, sample_aspect_ratio=Fraction(4, 3))
    with open_video(tmp_path / "wide.mp4") as reader:
        assert reader._stream.sample_aspect_ratio == Fraction(4, 3)
        assert (reader.info.width, reader.info.height) == (128, 96)
        assert next(reader.frames([0])).rgb.shape == (96, 128, 3)


def test_the_facts_of_a_video_are_told(video: Callable[[str], Path]) -> None:
    with open_video(video("h264.mp4")) as reader:
        info = reader.info
    assert (info.codec, info.time_base, info.first_pts) == ("h264", Fraction(1, 15360), 0)
    assert (info.average_rate, info.frames_indexed) == (30.0, 60)


def test_a_codec_with_hidden_frames_is_read_from_start_to_end(video: Callable[[str], Path], numbers) -> None:
    with open_video(video("vp8.webm")) as reader:
        assert (reader.mode, reader.fallback) == (
            "forward",
            "packets of codec vp8 are not known to show one frame each",
        )
        assert numbers(reader, [0.0, 0.5, 1.9]) == [0, 15, 57]


def test_a_pts_that_is_no_frame_is_refused(video: Callable[[str], Path]) -> None:
    with (
        open_video(video("h264.mp4")) as reader,
        pytest.raises(InputError, match=r"pts 513 is no frame of this video; .* from 0 to 30208"),
    ):
        list(reader.frames([512, 513]))


def test_a_negative_time_is_the_callers_mistake(video: Callable[[str], Path]) -> None:
    with open_video(video("h264.mp4")) as reader, pytest.raises(InputError, match=r"asked for t = -0\.1 s"):
        reader.select(np.array([0.5, -0.1]))


def test_no_wanted_frame_is_no_work(video: Callable[[str], Path]) -> None:
    with open_video(video("h264.mp4")) as reader:
        assert list(reader.frames([])) == []


@pytest.mark.parametrize("forward", [False, True])
def test_a_watcher_hears_of_every_packet_of_a_long_read(video: Callable[[str], Path], forward: bool) -> None:
    beats = []
    with open_video(video("h264.mp4"), forward=forward, heartbeat=lambda: beats.append(1)) as reader:
        opened = len(beats)
        assert opened >= 60
        list(reader.frames(reader.select(np.arange(0, 2, 0.1)).pts))
    assert len(beats) - opened >= 40
