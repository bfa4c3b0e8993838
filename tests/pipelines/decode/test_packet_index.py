from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.decode.packet_index import NO_PTS, PacketIndex, depends_on, plan_runs, read_index, read_packets


def index_of(pts: list[int], restarts: set[int]) -> PacketIndex:
    count = len(pts)
    nothing = np.zeros(count, dtype=bool)
    restart = np.isin(np.arange(count), sorted(restarts))
    ticks = np.array(pts, dtype=np.int64)
    return PacketIndex(ticks, ticks, restart, nothing, nothing, np.ones(count, dtype=np.int64), None)


# Two open groups: I0 P3 B1 B2 | I6 B4 B5 P9 B7 B8 | I12 B10 B11
OPEN = index_of([0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12, 10, 11], {0, 4, 10})


def ranges(index: PacketIndex, wanted: list[int]) -> list[tuple[int, int]]:
    return [(run.start, run.stop) for run in plan_runs(index, wanted)]


def test_a_frame_is_decoded_from_its_key_packet_to_itself() -> None:
    assert ranges(OPEN, [7]) == [(4, 8)]
    assert ranges(OPEN, [4]) == [(4, 5)]


def test_a_leading_picture_is_decoded_from_the_key_packet_before_its_own() -> None:
    assert ranges(OPEN, [5]) == [(0, 6)]
    assert ranges(OPEN, [12]) == [(4, 13)]


def test_groups_apart_are_runs_apart_and_groups_that_touch_are_one() -> None:
    assert ranges(OPEN, [1, 10]) == [(0, 2), (10, 11)]
    assert ranges(OPEN, [3, 4]) == [(0, 5)]
    assert ranges(OPEN, [4, 9, 11]) == [(4, 12)]
    assert ranges(OPEN, []) == []


@st.composite
def streams(draw: st.DrawFn) -> tuple[PacketIndex, list[int]]:
    pts: list[int] = []
    restarts: set[int] = set()
    for _ in range(draw(st.integers(1, 6))):
        size, lead = draw(st.integers(1, 8)), draw(st.integers(0, 3))
        base = len(pts)
        lead = min(lead, size - 1) if base else 0
        order = [lead, *range(lead), *range(lead + 1, size)]
        restarts.add(base)
        pts += [base + each for each in order]
    wanted = draw(st.lists(st.integers(0, len(pts) - 1), min_size=1, unique=True))
    return index_of(pts, restarts), wanted


@given(streams())
def test_runs_cover_every_wanted_frame_from_a_restart_it_can_be_decoded_from(
    case: tuple[PacketIndex, list[int]],
) -> None:
    index, wanted = case
    runs = plan_runs(index, wanted)
    assert sorted(position for run in runs for position in run.wanted) == sorted(wanted)
    assert all(before.stop < after.start for before, after in zip(runs, runs[1:], strict=False))
    restarts = np.flatnonzero(index.restart)
    for run in runs:
        assert index.restart[run.start]
        assert run.stop - 1 in run.wanted
        for position in run.wanted:
            own = restarts[restarts <= position]
            leading = index.pts[position] < index.pts[own[-1]]
            assert run.start <= (own[-2] if leading else own[-1])


def test_a_pts_leads_to_its_packet_and_one_of_no_packet_nowhere() -> None:
    assert OPEN.positions([6, 0, 11, 12, 13, -1]).tolist() == [4, 0, 12, 10, -1, -1]
    assert OPEN.positions(iter(OPEN.pts.tolist())).tolist() == list(range(13))
    assert OPEN.positions([]).tolist() == []
    assert index_of([], set()).positions([3]).tolist() == [-1]


def test_an_index_of_packets_without_pts_or_that_share_one_is_not_addressable() -> None:
    assert OPEN.addressable
    assert not index_of([4, 3, 4], {0}).addressable
    assert not index_of([NO_PTS, 3, 4], {0}).addressable
    assert index_of([], set()).addressable


def test_reading_an_index_and_finding_in_it_needs_tens_of_bytes_a_packet() -> None:
    count = 50_000
    packet = SimpleNamespace(size=1, is_keyframe=True, is_discard=False, is_corrupt=False, duration=512)

    def demux(_: object) -> Iterator[SimpleNamespace]:
        for number in range(count):
            packet.pts = packet.dts = 10**12 + 512 * number
            yield packet

    container, stream = SimpleNamespace(demux=demux), SimpleNamespace(codec_context=SimpleNamespace(name="h264"))
    tracemalloc.start()
    index = read_index(container, stream, lambda: None)
    assert index.positions([10**12 + 512]).tolist() == [1]
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # 27 of its columns, 4 of their order by pts and 8 of the restarts, which are all of them here.
    assert kept / count < 45
    assert peak / count < 70


def test_damage_spreads_to_the_next_key_packet_and_across_it_to_its_leading_pictures() -> None:
    marked = depends_on(OPEN, [1])
    assert np.flatnonzero(marked).tolist() == [1, 2, 3, 5, 6]
    assert np.flatnonzero(depends_on(OPEN, [11])).tolist() == [11, 12]
    assert not depends_on(OPEN, []).any()


def test_a_damaged_key_packet_takes_its_whole_group() -> None:
    assert np.flatnonzero(depends_on(OPEN, [4])).tolist() == [4, 5, 6, 7, 8, 9, 11, 12]


def index_file(path: Path) -> PacketIndex:
    with av.open(str(path)) as container:
        return read_index(container, container.streams.video[0], lambda: None)


def test_the_index_lists_every_packet_in_decode_order(video: Callable[[str], Path]) -> None:
    index = index_file(video("h264.mp4"))
    assert index.problem is None
    assert np.flatnonzero(index.restart).tolist() == [0, 12, 24, 36, 48]
    assert np.sort(index.pts).tolist() == list(range(0, 60 * 512, 512))
    assert np.any(np.diff(index.pts) < 0)
    assert np.all(np.diff(index.dts) > 0)


def test_decoding_can_start_inside_no_gif(video: Callable[[str], Path]) -> None:
    assert np.flatnonzero(index_file(video("anim.gif")).restart).tolist() == [0]


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("vp8.webm", "packets of codec vp8 are not known to show one frame each"),
        ("bare.h264", "15 of 15 packets have no pts"),
    ],
)
def test_an_index_that_can_not_stand_for_the_frames_says_why(
    video: Callable[[str], Path], kind: str, problem: str
) -> None:
    assert index_file(video(kind)).problem == problem


def test_packets_that_share_a_pts_are_a_problem(video: Callable[[str], Path], tmp_path: Path) -> None:
    twice = tmp_path / "twice.mkv"
    with av.open(str(video("mjpeg.avi"))) as container, av.open(str(twice), "w") as out:
        stream = container.streams.video[0]
        copy = out.add_stream_from_template(stream)
        for packet in container.demux(stream):
            if packet.size:
                packet.pts = packet.dts = packet.pts // 2
                packet.stream = copy
                out.mux(packet)
    index = index_file(twice)
    assert index.problem == "2 packets share pts 0"
    assert not index.addressable


def test_a_stream_that_starts_between_key_packets_is_a_problem(
    video: Callable[[str], Path], video_maker, tmp_path: Path
) -> None:
    video_maker.cut_packets(video("h264_open.mkv"), tmp_path / "cut.mkv", 5)
    assert index_file(tmp_path / "cut.mkv").problem == "the first packet is not a key packet"


def test_packets_end_where_pyav_finds_more_streams_than_it_knew(video: Callable[[str], Path]) -> None:
    class Grown:
        """A container that FFmpeg found another stream in, as in a damaged MPEG-TS."""

        def __init__(self, container: av.container.InputContainer) -> None:
            self._container = container

        def demux(self, stream: av.VideoStream) -> Iterator[av.Packet]:
            yield from (packet for packet in self._container.demux(stream) if packet.size)
            raise IndexError("list index out of range")

    with av.open(str(video("h264_open.ts"))) as container:
        stream = container.streams.video[0]
        packets = list(read_packets(Grown(container), stream, [], lambda: None))  # type: ignore[arg-type]
    assert len(packets) == 60
