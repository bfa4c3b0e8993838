"""Where a file has no times of display, the picture of an instant is the one that players show there, or none."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from pipelines.decode.output_order import NO_TIMES, in_order_of_output, with_doubt
from pipelines.decode.packet_index import NO_PTS, PacketIndex, read_index
from pipelines.decode.reader import open_video

FPS = 30
# Kind → name of the file of which the packets are copied, and of the copy.
COPIES = [
    ("h264.mp4", "copy.mp4"),
    ("h264_deep.mp4", "copy.mkv"),
    ("h264_open.mp4", "copy.ts"),
    ("h264.mp4", "copy.mov"),
    ("h264.mp4", "copy.flv"),
    ("hevc_open.mp4", "copy.mp4"),
    ("hevc.mp4", "copy.mkv"),
    ("mpeg4.mp4", "copy.mp4"),
    ("mpeg4_open.mp4", "copy.mkv"),
    ("mpeg2_open.mp4", "copy.mp4"),
]


def wrong_numbers(path: Path, video_maker, frames: int, *, forward: bool, all_there: bool = True) -> list:
    """Read the frame of each instant k/30, and list those that show another number."""
    with open_video(path, forward=forward) as reader:
        chosen = reader.select(np.arange(frames) / FPS)
        there = chosen.pts[~chosen.past_end & ~chosen.missing]
        read = list(reader.frames(there))
        assert len(read) == frames or not all_there
        found = [(round(frame.time_s * FPS), video_maker.read_number(frame.rgb)) for frame in read]
        return [pair for pair in found if pair[0] != pair[1]]


@pytest.mark.parametrize("forward", [False, True])
@pytest.mark.parametrize("kind", ["h264.avi", "h264_plain.avi", "mpeg4.avi", "mpeg2.avi", "mjpeg.avi"])
def test_every_frame_of_an_avi_is_the_one_shown_at_its_time(
    video: Callable[[str], Path], video_maker, kind: str, forward: bool
) -> None:
    frames = 30 if kind == "mjpeg.avi" else 60
    assert wrong_numbers(video(kind), video_maker, frames, forward=forward) == []


@pytest.mark.parametrize("forward", [False, True])
def test_packed_b_frames_are_shown_in_their_order(tmp_path: Path, video_maker, forward: bool) -> None:
    video_maker.make_video(tmp_path / "plain.avi", codec="mpeg4", b_frames=1)
    video_maker.pack_b_frames(tmp_path / "plain.avi", tmp_path / "packed.avi")
    assert wrong_numbers(tmp_path / "packed.avi", video_maker, 60, forward=forward) == []


@pytest.mark.parametrize("forward", [False, True])
def test_a_placeholder_shows_the_frame_before_it_and_costs_no_other(tmp_path: Path, video_maker, forward: bool) -> None:
    video_maker.make_video(tmp_path / "plain.avi", codec="mpeg4", b_frames=0)
    shown = video_maker.add_placeholders(tmp_path / "plain.avi", tmp_path / "sparse.avi")
    with open_video(tmp_path / "sparse.avi", forward=forward) as reader:
        chosen = reader.select(np.arange(len(shown)) / FPS)
        numbers = {frame.pts: video_maker.read_number(frame.rgb) for frame in reader.frames(chosen.pts)}
    assert [numbers.get(pts) for pts in chosen.pts.tolist()] == shown


@pytest.mark.parametrize("forward", [False, True])
@pytest.mark.parametrize(("kind", "name"), COPIES)
def test_a_copy_whose_times_are_those_of_decoding_shows_its_frames_in_order(
    video: Callable[[str], Path], video_maker, tmp_path: Path, kind: str, name: str, forward: bool
) -> None:
    video_maker.copy_in_decode_order(video(kind), tmp_path / name)
    assert wrong_numbers(tmp_path / name, video_maker, 60, forward=forward) == []


@pytest.mark.parametrize("kind", ["bare.h264", "bare.hevc"])
def test_a_raw_stream_is_read_at_the_rate_that_it_states(video: Callable[[str], Path], video_maker, kind: str) -> None:
    assert wrong_numbers(video(kind), video_maker, 15, forward=False) == []
    with open_video(video(kind)) as reader:
        assert reader.info.duration_s == pytest.approx(0.5)


def test_times_that_run_back_are_put_in_the_order_of_the_frames(
    video: Callable[[str], Path], video_maker, tmp_path: Path
) -> None:
    times = list(range(30))
    times[10], times[12] = times[12], times[10]
    with av.open(str(video("mjpeg.avi"))) as container, av.open(str(tmp_path / "back.mp4"), "w") as out:
        stream = container.streams.video[0]
        copy = out.add_stream_from_template(stream)
        for number, packet in enumerate(packet for packet in container.demux(stream) if packet.size):
            packet.pts, packet.dts, packet.stream = times[number] + 5, number, copy
            out.mux(packet)
    assert wrong_numbers(tmp_path / "back.mp4", video_maker, 30, forward=False) == []


def test_times_that_repeat_give_the_first_of_the_frames_that_share_them(
    video: Callable[[str], Path], video_maker, tmp_path: Path
) -> None:
    copy = tmp_path / "twice.mp4"
    video_maker.copy_in_decode_order(video("h264.mp4"), tmp_path / "once.mkv")
    with av.open(str(video("h264.mp4"))) as container, av.open(str(copy), "w") as out:
        stream = container.streams.video[0]
        target = out.add_stream_from_template(stream)
        for number, packet in enumerate(packet for packet in container.demux(stream) if packet.size):
            packet.pts = packet.dts = number * 512 + (number % 2)
            packet.pts = packet.dts
            packet.stream = target
            out.mux(packet)
    with open_video(copy) as reader:
        frames = list(reader.frames(reader.select(np.arange(60) / FPS).pts))
    assert [video_maker.read_number(frame.rgb) for frame in frames] == list(range(60))


@pytest.mark.parametrize("kind", ["h264_plain.avi", "mpeg2_plain.mp4"])
def test_a_stream_without_b_frames_keeps_the_fast_path_and_its_times(tmp_path: Path, video_maker, kind: str) -> None:
    codec = "libx264" if kind.startswith("h264") else "mpeg2video"
    video_maker.make_video(tmp_path / kind, codec=codec, b_frames=0)
    with open_video(tmp_path / kind) as reader:
        assert (reader.mode, reader.fallback) == ("gop", None)
        index = reader._index
    with av.open(str(tmp_path / kind)) as container:
        plain = read_index(container, container.streams.video[0], lambda: None)
    np.testing.assert_array_equal(index.pts, plain.pts)


@pytest.mark.parametrize("kind", ["h264.mp4", "h264_open.ts", "hevc_open.mkv", "mpeg4.avi", "vp9.webm", "refresh.mp4"])
def test_a_file_with_times_of_display_is_in_no_doubt(video: Callable[[str], Path], kind: str) -> None:
    with av.open(str(video(kind))) as container:
        stream = container.streams.video[0]
        index = read_index(container, stream, lambda: None)
        assert with_doubt(index, container, stream) is index


def _without_times(video: Callable[[str], Path], video_maker, folder: Path, kind: str) -> Path:
    """A video of 60 numbered pictures whose container has no times of display."""
    if kind == "h264.avi":
        return video(kind)
    source = folder / kind
    if kind == "packed.avi":
        video_maker.make_video(folder / "plain.avi", codec="mpeg4", b_frames=1)
        video_maker.pack_b_frames(folder / "plain.avi", source)
    else:
        video_maker.copy_in_decode_order(video("h264.mp4"), source)
    return source


@pytest.mark.parametrize("packet", [0, 1, 12, 13, 59])
@pytest.mark.parametrize("kind", ["h264.avi", "packed.avi", "copy.mp4"])
def test_no_wrong_picture_comes_out_of_a_damaged_file_without_times(
    video: Callable[[str], Path], video_maker, tmp_path: Path, kind: str, packet: int
) -> None:
    source = _without_times(video, video_maker, tmp_path, kind)
    bad = tmp_path / f"bad{source.suffix}"
    video_maker.scratch(source, bad, packet)
    assert wrong_numbers(bad, video_maker, 60, forward=False, all_there=False) == []


@pytest.mark.parametrize("share", [0.6, 0.85])
@pytest.mark.parametrize("kind", ["h264.avi", "packed.avi", "copy.mkv"])
def test_no_wrong_picture_comes_out_of_a_cut_off_file_without_times(
    video: Callable[[str], Path], video_maker, tmp_path: Path, kind: str, share: float
) -> None:
    source = _without_times(video, video_maker, tmp_path, kind)
    cut = tmp_path / f"cut{source.suffix}"
    video_maker.truncate(source, cut, share)
    assert wrong_numbers(cut, video_maker, 60, forward=False, all_there=False) == []


def test_a_lost_frame_makes_its_neighbours_uncertain_and_no_others() -> None:
    count = 40
    ticks, off = np.arange(count), np.zeros(count, dtype=bool)
    index = PacketIndex(ticks, ticks, ticks == 0, off, off, np.ones(count, dtype=np.int64), None, "in doubt")
    # I P B P B …: each B frame is shown before the frame that is stored before it.
    shown = [0]
    for position in range(1, count - 1, 2):
        shown += [position + 1, position]
    shown.append(count - 1)
    whole, none = in_order_of_output(index, shown, [], cut_off=False)
    assert none.size == 0
    assert whole.pts[:5].tolist() == [0, 2, 1, 4, 3]
    gone, uncertain = in_order_of_output(index, [each for each in shown if each != 20], [], cut_off=False)
    assert uncertain.tolist() == [18, 19, 20, 21, 22]
    sure = np.setdiff1d(ticks, uncertain)
    np.testing.assert_array_equal(gone.pts[sure], whole.pts[sure])
    assert in_order_of_output(index, shown, [], cut_off=True)[1].tolist() == [38, 39]


def test_a_stream_of_which_only_some_packets_have_a_time_takes_those_of_decoding(video: Callable[[str], Path]) -> None:
    with av.open(str(video("h264.mp4"))) as container:
        stream = container.streams.video[0]
        index = read_index(container, stream, lambda: None)
        some = np.where(index.restart, index.pts, NO_PTS)
        found = with_doubt(replace(index, pts=some), container, stream)
        np.testing.assert_array_equal(found.pts, index.dts)
        assert found.in_doubt == "some packets have no time of display"
        none = with_doubt(replace(index, pts=np.full_like(some, NO_PTS)), container, stream)
        assert none.in_doubt == NO_TIMES


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg command here")
@pytest.mark.parametrize("kind", ["h264.avi", "mpeg4.avi", "copy.mp4"])
def test_the_ffmpeg_command_shows_the_same_frame_at_every_instant(
    video: Callable[[str], Path], video_maker, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / kind
    if kind == "copy.mp4":
        video_maker.copy_in_decode_order(video("h264.mp4"), path)
    else:
        path = video(kind)
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    shown = np.frombuffer(subprocess.run(command, check=True, capture_output=True).stdout, np.uint8)
    pictures = shown.reshape(-1, 96, 128, 3)
    with open_video(path) as reader:
        read = list(reader.frames(reader.select(np.arange(len(pictures)) / FPS).pts, 0))
    numbers = [video_maker.read_number(picture) for picture in pictures]
    assert [video_maker.read_number(frame.rgb) for frame in read] == numbers
