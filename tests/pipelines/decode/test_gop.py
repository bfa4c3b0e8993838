"""The fast path must give the very bits that plain decoding gives, whatever the codec and the wanted frames."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from av.packet import Packet
from av.video.frame import VideoFrame

from pipelines.decode.gop import GopDecoder
from pipelines.decode.reader import VideoReader, open_video

FAST = [
    "h264.mp4",
    "h264_deep.mp4",
    "h264_vfr.mp4",
    "h264_open.mp4",
    "h264_open.mkv",
    "h264_open.ts",
    "h264_late.mkv",
    "hevc.mp4",
    "hevc_open.mp4",
    "mpeg4.mp4",
    "mpeg4_open.mp4",
    "mpeg2_open.mp4",
    "vp9.webm",
    "av1.mp4",
    "mjpeg.avi",
    "anim.gif",
    "lone.mp4",
]


def every_pts(reader: VideoReader) -> list[int]:
    chosen = reader.select(np.arange(0, reader.info.duration_s, 0.002))
    return np.unique(chosen.pts[~chosen.missing]).tolist()


def pictures(reader: VideoReader, pts: list[int]) -> dict[int, np.ndarray]:
    return {frame.pts: frame.rgb for frame in reader.frames(pts, 0)}


def assert_same(got: dict[int, np.ndarray], reference: dict[int, np.ndarray]) -> None:
    assert list(got) == sorted(got)
    for pts, rgb in got.items():
        np.testing.assert_array_equal(rgb, reference[pts])


@pytest.mark.parametrize("kind", FAST)
def test_the_fast_path_gives_the_bits_of_plain_decoding(video: Callable[[str], Path], video_maker, kind: str) -> None:
    with open_video(video(kind), forward=True) as plain:
        wanted = every_pts(plain)
        reference = pictures(plain, wanted)
        assert (plain.mode, plain.fallback, plain.missing) == ("forward", None, frozenset())
    assert [video_maker.read_number(reference[pts]) for pts in wanted] == list(range(len(wanted)))

    with open_video(video(kind)) as fast:
        assert fast.info == plain.info
        assert every_pts(fast) == wanted
        choice = random.Random(kind)
        few = [choice.sample(wanted, min(len(wanted), count)) for count in (1, 1, 2, 3, 5, 9)]
        for some in [wanted, wanted[-1:], wanted[:1], wanted[::5], *few, *([pts] for pts in wanted[3::11])]:
            got = pictures(fast, some)
            assert sorted(got) == sorted(some)
            assert_same(got, reference)
        assert (fast.mode, fast.fallback, fast.missing) == ("gop", None, frozenset())


@pytest.mark.parametrize("kind", ["h264_open.mp4", "hevc_open.mp4", "mpeg4_open.mp4", "mpeg2_open.mp4"])
def test_every_leading_picture_alone_is_exact(video: Callable[[str], Path], kind: str) -> None:
    with open_video(video(kind), forward=True) as plain:
        wanted = every_pts(plain)
        reference = pictures(plain, wanted)
    with open_video(video(kind)) as fast:
        index = fast._index
        group = np.maximum.accumulate(np.where(index.restart, np.arange(len(index.pts)), 0))
        leading = index.pts[index.pts < index.pts[group]].tolist()
        assert len(leading) >= 8
        for pts in leading:
            assert_same(pictures(fast, [pts]), reference)
        assert (fast.mode, fast.missing) == ("gop", frozenset())


def test_a_frame_far_away_is_reached_by_seeking(video: Callable[[str], Path]) -> None:
    read = []
    with open_video(video("h264.mp4"), heartbeat=lambda: read.append(1)) as reader:
        last = every_pts(reader)[-1]
        read.clear()
        assert list(pictures(reader, [last])) == [last]
    # Its own group, and no other of the five.
    assert len(read) <= 13


def test_the_way_from_one_frame_to_another_far_away_is_skipped(video: Callable[[str], Path]) -> None:
    read = []
    with open_video(video("h264.mp4"), heartbeat=lambda: read.append(1)) as reader:
        pts = every_pts(reader)
        read.clear()
        assert list(pictures(reader, [pts[0], pts[-1]])) == [pts[0], pts[-1]]
    assert len(read) <= 14


@pytest.mark.parametrize(("kind", "skips"), [("h264.mp4", True), ("mpeg4.mp4", True), ("hevc.mp4", False)])
def test_unwanted_frames_are_left_undecoded_where_no_other_frame_needs_them(
    video: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, kind: str, skips: bool
) -> None:
    decode, shown = GopDecoder._decode, []

    def counting(self: GopDecoder, packet: Packet | None) -> list[VideoFrame]:
        frames = decode(self, packet)
        shown.extend(frames)
        return frames

    with open_video(video(kind)) as reader:
        monkeypatch.setattr(GopDecoder, "_decode", counting)
        index = reader._index
        last = int(index.pts[-1])
        fed = len(index.pts) - int(index.restarts[-1])
        assert list(pictures(reader, [last])) == [last]
    assert (len(shown) < fed) == skips


def test_frames_skipped_before_are_decoded_when_wanted_next(video: Callable[[str], Path]) -> None:
    with open_video(video("h264.mp4")) as reader:
        # Given up while the decoder skips: frame 3, the second packet, appears during later ones.
        next(reader.frames([3 * 512, 11 * 512]))
        assert list(pictures(reader, [0, 512, 1024, 1536])) == [0, 512, 1024, 1536]
        assert reader.mode == "gop"


def test_an_iteration_given_up_half_way_spoils_nothing(video: Callable[[str], Path]) -> None:
    with open_video(video("h264_open.mp4"), forward=True) as plain:
        wanted = every_pts(plain)
        reference = pictures(plain, wanted)
    with open_video(video("h264_open.mp4")) as reader:
        for stop in (1, 7, 20):
            for count, _ in enumerate(reader.frames(wanted[::2], 0), 1):
                if count == stop:
                    break
            some = wanted[1::3]
            got = pictures(reader, some)
            assert sorted(got) == some
            assert_same(got, reference)
        assert reader.mode == "gop"


def test_key_packets_that_are_no_restart_end_the_fast_path_and_cost_no_frame(
    video: Callable[[str], Path],
) -> None:
    """x264's periodic intra refresh marks packets as key from which no whole picture can be decoded."""
    with open_video(video("refresh.mp4"), forward=True) as plain:
        wanted = every_pts(plain)
        reference = pictures(plain, wanted)
    with open_video(video("refresh.mp4")) as reader:
        assert reader.mode == "gop"
        some = wanted[23::7]
        got = pictures(reader, some)
        assert reader.mode == "forward"
        assert reader.fallback is not None
        assert "shown before" in reader.fallback or "does not show pts" in reader.fallback
        assert sorted(got) == some
        assert_same(got, reference)
        assert reader.missing == frozenset()
