"""Damage: what the decoder guesses is not taken, what is lost is said, and nothing stands in for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from pipelines.decode.container import open_stream
from pipelines.decode.convert import RgbConverter
from pipelines.decode.forward import play, scan
from pipelines.decode.packet_index import NO_PTS, PacketIndex, read_index
from pipelines.decode.reader import VideoError, open_video

# Packet 12 is a key packet, 13 a P frame shown after the B frames 14 and 15.
DAMAGED = [
    ("damage", kind, packet)
    for kind in ("h264.mp4", "h264_open.mp4", "hevc_open.mp4", "mpeg4.mp4", "mpeg2_open.mp4")
    for packet in (12, 13, 14)
]
# Shown by no decoder, refused by none: a B frame of the first group.
DAMAGED += [("damage", "mpeg2_open.mp4", 2)]
# Refused by no decoder, but repaired by it.
DAMAGED += [("scratch", kind, packet) for kind in ("h264.mp4", "mpeg4.mp4", "mpeg2_open.mp4") for packet in (12, 13)]


def frame_times(count: int, fps: int = 30) -> np.ndarray:
    return np.arange(count) / fps


@pytest.mark.parametrize(("how", "kind", "packet"), DAMAGED)
def test_no_wrong_picture_comes_out_of_a_damaged_video(
    video: Callable[[str], Path], video_maker, tmp_path: Path, how: str, kind: str, packet: int
) -> None:
    bad = tmp_path / kind
    if how == "damage":
        video_maker.damage(video(kind), bad, [packet])
    else:
        video_maker.scratch(video(kind), bad, packet)
    with open_video(video(kind), forward=True) as plain:
        pts = plain.select(frame_times(60)).pts
        reference = {frame.pts: frame.rgb for frame in plain.frames(pts, 0)}
    delivered = {}
    for forward in (False, True):
        with open_video(bad, forward=forward) as reader:
            chosen = reader.select(frame_times(60))
            np.testing.assert_array_equal(chosen.pts, pts)
            assert not chosen.past_end.any()
            got = {frame.pts: frame.rgb for frame in reader.frames(chosen.pts, 0)}
            assert reader.mode == "forward"
            assert reader.missing == frozenset(pts.tolist()) - frozenset(got)
        for each, rgb in got.items():
            np.testing.assert_array_equal(rgb, reference[each])
        delivered[forward] = list(got)
    assert delivered[False] == delivered[True]
    # The damage costs frames of its own group and of its neighbours' edges, no more.
    assert 60 - 2 * 12 <= len(delivered[True]) < 60


def test_the_fast_path_says_which_packet_stopped_it(video: Callable[[str], Path], video_maker, tmp_path: Path) -> None:
    video_maker.damage(video("h264.mp4"), tmp_path / "bad.mp4", [12])
    with open_video(tmp_path / "bad.mp4") as reader:
        assert (reader.mode, reader.fallback) == ("gop", None)
        list(reader.frames(reader.select(frame_times(60)).pts))
        assert reader.fallback is not None
        assert reader.fallback.startswith("the decoder fails at pts 6144 (Invalid data")


def test_frames_away_from_the_damage_need_no_fallback(
    video: Callable[[str], Path], video_maker, tmp_path: Path
) -> None:
    video_maker.damage(video("h264.mp4"), tmp_path / "bad.mp4", [13])
    with open_video(tmp_path / "bad.mp4") as reader:
        chosen = reader.select(np.array([0.1, 1.5]))
        numbers = [video_maker.read_number(frame.rgb) for frame in reader.frames(chosen.pts)]
        assert numbers == [3, 45]
        assert (reader.mode, reader.missing) == ("gop", frozenset())


def test_an_instant_whose_frame_was_lost_is_missing_and_gets_no_neighbour(
    video: Callable[[str], Path], video_maker, tmp_path: Path
) -> None:
    video_maker.damage(video("h264.mp4"), tmp_path / "bad.mp4", [12])
    with open_video(tmp_path / "bad.mp4", forward=True) as reader:
        chosen = reader.select(frame_times(60))
        assert np.flatnonzero(chosen.missing).tolist() == list(range(12, 24))
        assert reader.info.frames_indexed == 48
        assert reader.info.duration_s == pytest.approx(2.0)
        assert list(reader.frames(chosen.pts[chosen.missing])) == []
        assert reader.missing == frozenset(chosen.pts[12:24].tolist())


def test_where_packets_have_no_pts_of_their_own_nothing_is_trusted_until_the_next_key_frame(
    video: Callable[[str], Path], video_maker, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.mp4"
    video_maker.damage(video("h264.mp4"), bad, [24])
    container, stream = open_stream(bad)
    index = read_index(container, stream, lambda: None)
    container.close()
    blind = replace(index, pts=np.full_like(index.pts, NO_PTS))
    container, stream = open_stream(bad)
    found = scan(container, stream, blind, lambda: None)
    container.close()
    numbers = {pts // 512 for pts in found.ordinals}
    assert set(range(36, 60)) <= numbers
    assert not set(range(24, 36)) & numbers

    container, stream = open_stream(bad)
    converter, wanted = RgbConverter(), {ordinal: pts for pts, ordinal in found.ordinals.items()}
    for ordinal, frame in play(container, stream, blind, [], lambda: None):
        if ordinal in wanted:
            assert video_maker.read_number(converter.convert(frame, 0)) == wanted[ordinal] // 512
    container.close()


def test_an_edit_list_hides_frames_and_loses_none(video: Callable[[str], Path]) -> None:
    container, stream = open_stream(video("h264.mp4"))
    index = read_index(container, stream, lambda: None)
    container.close()
    pts = np.where(index.pts == 5 * 512, 5 * 512 + 1, index.pts)  # a packet whose frame never comes
    for hidden in (False, True):
        container, stream = open_stream(video("h264.mp4"))
        told = replace(index, pts=pts, hidden=(pts == 5 * 512 + 1) & hidden)
        found = scan(container, stream, told, lambda: None)
        container.close()
        assert found.lost.tolist() == ([] if hidden else [5 * 512 + 1])


@pytest.mark.parametrize("cut", [38, 39, 40])
@pytest.mark.parametrize("kind", ["h264.mp4", "hevc_open.mp4", "mpeg4.mp4", "mpeg2_open.mp4"])
def test_a_truncated_video_is_read_up_to_its_cut(
    video: Callable[[str], Path], video_maker, tmp_path: Path, kind: str, cut: int
) -> None:
    video_maker.truncate_in_packet(video(kind), tmp_path / "cut.mp4", cut)
    seen = []
    for forward in (False, True):
        with open_video(tmp_path / "cut.mp4", forward=forward) as reader:
            count = reader.info.frames_indexed
            assert cut - 2 <= count <= cut
            chosen = reader.select(frame_times(60))
            assert chosen.past_end[45:].all()
            assert not chosen.past_end[:count].any()
            frames = list(reader.frames(chosen.pts[~chosen.past_end]))
            assert len(frames) == count
            assert [video_maker.read_number(each.rgb) for each in frames] == [each.pts // 512 for each in frames]
            # A B frame cut in the middle leaves a hole before the last frame, and no other loss.
            assert len(reader.missing) <= 1
            assert reader.fallback is None
            seen.append((reader.info, reader.missing))
    assert seen[0] == seen[1]


def test_a_video_of_which_no_frame_is_intact_is_a_decode_error(
    video: Callable[[str], Path], video_maker, tmp_path: Path
) -> None:
    video_maker.damage(video("h264.mp4"), tmp_path / "bad.mp4", range(60))
    with pytest.raises(VideoError, match=r"h264 shows no intact frame of 60 packets \(60 refused\)") as caught:
        open_video(tmp_path / "bad.mp4")
    assert caught.value.reason == "decode_error"


def test_frames_without_any_timestamp_are_refused_and_not_numbered(video: Callable[[str], Path]) -> None:
    with pytest.raises(VideoError, match=r"frame 0 has no timestamp.*states no frame rate") as caught:
        open_video(video("rateless.hevc"))
    assert caught.value.reason == "decode_error"


def test_a_file_that_marks_no_key_packet_is_read_all_the_same(video: Callable[[str], Path]) -> None:
    with av.open(str(video("mpeg4.mp4"))) as container:
        stream = container.streams.video[0]
        index = read_index(container, stream, lambda: None)
    unmarked = replace(index, restart=np.zeros_like(index.restart))
    with av.open(str(video("mpeg4.mp4"))) as container:
        found = scan(container, container.streams.video[0], unmarked, lambda: None)
    assert len(found.ordinals) == 60


def test_a_file_whose_every_packet_is_said_to_be_damaged_is_read_from_start_to_end(
    video: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def all_damaged(*arguments: object) -> PacketIndex:
        index = read_index(*arguments)  # type: ignore[arg-type]
        return replace(index, damaged=np.ones_like(index.damaged))

    monkeypatch.setattr("pipelines.decode.reader.read_index", all_damaged)
    with open_video(video("h264.mp4")) as reader:
        assert reader.fallback == "every packet is damaged, or its frame is predicted from one that is"
        assert reader.info.frames_indexed == 60
