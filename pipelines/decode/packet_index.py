"""Index a video's packets, and plan those to decode for wanted frames.

Demuxing a file without decoding it gives every packet's pts and marks the key packets. That is enough to decode only
from the needed key packets on, up to the last wanted frame in decode order.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

NO_PTS = -(1 << 63)

Heartbeat = Callable[[], None]

# Codecs whose packets show exactly one frame each, so that an index of packets is an index of frames. VP8 is
# left out: its alternate reference frames have packets (and pts) of their own and are never shown.
ONE_FRAME_A_PACKET = frozenset(
    {
        "h264",
        "hevc",
        "mpeg4",
        "mpeg2video",
        "mpeg1video",
        "vp9",
        "libvpx-vp9",
        "av1",
        "libdav1d",
        "mjpeg",
        "gif",
    }
)
# Of these, the codecs whose decoder can start at any key packet. A GIF frame paints over the one before.
RESTARTS_AT_KEY = ONE_FRAME_A_PACKET - {"gif"}
# Codecs in which a frame marked non-reference is used by no other frame at all. Not HEVC: there the mark
# holds within one temporal sub-layer, and a higher sub-layer may still refer to the frame.
NONREF_IS_FINAL = frozenset({"h264", "mpeg4", "mpeg2video", "mpeg1video"})
# Size in bytes up to which FFmpeg takes a packet of MPEG-4 for a placeholder: it says that the frame before it stays.
PLACEHOLDER_BYTES = 19
# Frames' lengths by which times of decoding may run back without being those of another recording.
_TURN_FRAMES = 8


@dataclass(frozen=True, eq=False)
class PacketIndex:
    """Table of a video stream's N packets, in file (decode) order.

    Attributes:
        pts: int64 ``[N]``, ticks; ``NO_PTS`` where a packet has none.
        dts: int64 ``[N]``, ticks; the pts where a packet has none.
        restart: bool ``[N]``, decoding can start at this packet.
        hidden: bool ``[N]``, decoded but not shown (outside the container's edit list).
        damaged: bool ``[N]``, the container itself marks the packet as incomplete.
        durations: int64 ``[N]``, ticks; 0 where unknown.
        problem: Why the index of packets is no index of frames, in words; None when it is one.
        in_doubt: Why the pts may be times of decoding instead of display, in words; None when they are not.
        ends_early: Why the index ends before the file does, in words; None when it does not.
    """

    pts: np.ndarray
    dts: np.ndarray
    restart: np.ndarray
    hidden: np.ndarray
    damaged: np.ndarray
    durations: np.ndarray
    problem: str | None
    in_doubt: str | None = None
    ends_early: str | None = None

    @property
    def addressable(self) -> bool:
        """Whether a pts names exactly one packet."""
        shown = self.pts[self._by_pts]
        return bool(np.all(shown[:1] != NO_PTS) and np.all(shown[1:] != shown[:-1]))

    @cached_property
    def restarts(self) -> np.ndarray:
        """Positions at which decoding can start, ascending: int64 ``[R]``."""
        return np.flatnonzero(self.restart)

    @cached_property
    def smallest_dts(self) -> int:
        """Smallest dts, in ticks."""
        return int(self.dts.min())

    def positions(self, pts: Iterable[int]) -> np.ndarray:
        """Find the positions of some pts in decode order.

        The result has a meaning only when :attr:`addressable`.

        Args:
            pts: ``[K]``, ticks.

        Returns:
            int64 ``[K]``; -1 for a pts that no packet has.
        """
        wanted = np.fromiter(pts, dtype=np.int64)
        if not len(self.pts):
            return np.full(wanted.shape, -1)
        places = np.searchsorted(self.pts, wanted, sorter=self._by_pts)
        found = self._by_pts[np.minimum(places, len(self.pts) - 1)].astype(np.int64)
        return np.where(self.pts[found] == wanted, found, -1)

    @cached_property
    def _by_pts(self) -> np.ndarray:
        order = np.argsort(self.pts, kind="stable")
        return order.astype(np.int32) if len(order) < 1 << 31 else order


@dataclass(frozen=True)
class Run:
    """Packets to decode without a break.

    Attributes:
        start: Position of the first packet, in decode order.
        stop: Position after the last packet.
        wanted: Positions of the packets whose frames are wanted.
    """

    start: int
    stop: int
    wanted: frozenset[int]


def demuxed(container: InputContainer, stream: VideoStream) -> Iterator[Packet]:
    """Demux the stream's packets in file order.

    PyAV gives an empty packet at the end. When damage makes FFmpeg see more streams than there were at first, PyAV
    raises an IndexError in its place; then the packets end without it.
    """
    try:
        yield from container.demux(stream)
    except IndexError:
        return


def read_packets(
    container: InputContainer, stream: VideoStream, stopped: list[str], heartbeat: Heartbeat
) -> Iterator[Packet]:
    """Demux the stream's packets in file order, without empty flush packets.

    Data that the demuxer cannot parse ends the packets, as in any player; the reason is appended to ``stopped``. Errors
    of the disk or the network are raised. ``heartbeat`` is called for every packet.
    """
    try:
        for packet in demuxed(container, stream):
            heartbeat()
            if packet.size:
                yield packet
    except av.error.InvalidDataError as error:
        stopped.append(f"the container is unreadable from here on ({error.strerror})")


def read_index(container: InputContainer, stream: VideoStream, heartbeat: Heartbeat) -> PacketIndex:
    """Read the packet index of a stream by demuxing it once.

    No payload is kept: the index takes 27 bytes per packet, also while it is read.
    """
    codec = stream.codec_context.name
    stopped: list[str] = []
    small, placeholders = 0, codec == "mpeg4"
    pts, dts, durations = array("q"), array("q"), array("q")
    key, hidden, damaged = bytearray(), bytearray(), bytearray()
    for packet in read_packets(container, stream, stopped, heartbeat):
        pts.append(NO_PTS if packet.pts is None else packet.pts)
        dts.append(NO_PTS if packet.dts is None else packet.dts)
        durations.append(packet.duration or 0)
        key.append(packet.is_keyframe)
        hidden.append(packet.is_discard)
        damaged.append(packet.is_corrupt)
        if placeholders and packet.size <= PLACEHOLDER_BYTES and not packet.is_corrupt:
            small += 1
    restart = np.frombuffer(key, dtype=bool)
    if codec not in RESTARTS_AT_KEY:
        restart[1:] = False
    decoded_at = np.frombuffer(dts, dtype=np.int64)
    shown_at = np.frombuffer(pts, dtype=np.int64)
    index = PacketIndex(
        pts=shown_at,
        dts=np.where(decoded_at == NO_PTS, shown_at, decoded_at),
        restart=restart,
        hidden=np.frombuffer(hidden, dtype=bool),
        damaged=np.frombuffer(damaged, dtype=bool),
        durations=np.frombuffer(durations, dtype=np.int64),
        problem=None,
    )
    index = _up_to_turn(index, decoded_at, stream)
    if stopped:
        index = replace(index, ends_early=stopped[0])
    problem = _problem(index, codec)
    if problem is None and small:
        problem = f"{small} of {len(index.pts)} packets are too small to show a frame for certain"
    return replace(index, problem=problem)


def _up_to_turn(index: PacketIndex, decoded_at: np.ndarray, stream: VideoStream) -> PacketIndex:
    """End the index where the times of decoding run back, as in recordings that were joined byte by byte.

    Another recording begins there, and its times are those of other pictures. A few frames' lengths are no turn: some
    programs write such times.
    """
    timed = np.flatnonzero(decoded_at != NO_PTS)
    steps = np.diff(decoded_at[timed])
    if not np.any(steps < 0):
        return index
    back = np.maximum.accumulate(decoded_at[timed]) - decoded_at[timed]
    turns = timed[back > _TURN_FRAMES * np.median(np.abs(steps[steps != 0]))]
    if not len(turns):
        return index
    at = int(turns[0])
    tick = stream.time_base or 1
    before, after = (float(int(decoded_at[place]) * tick) for place in (at - 1, at))
    words = f"at packet {at} of {len(index.pts)} its times run back from {before:.3f} s to {after:.3f} s"
    return up_to(index, at, words)


def up_to(index: PacketIndex, stop: int, why: str) -> PacketIndex:
    """End an index before a packet, for a reason in words."""
    columns = {each.name: getattr(index, each.name)[:stop] for each in fields(index) if each.type == "np.ndarray"}
    return replace(index, **columns, ends_early=why)


def _problem(index: PacketIndex, codec: str) -> str | None:
    if not len(index.pts):
        return "the stream has no packets"
    if index.ends_early:
        return index.ends_early
    if codec not in ONE_FRAME_A_PACKET:
        return f"packets of codec {codec} are not known to show one frame each"
    without = int(np.sum(index.pts == NO_PTS))
    if without:
        return f"{without} of {len(index.pts)} packets have no pts"
    if not index.addressable:
        values, counts = np.unique(index.pts, return_counts=True)
        return f"{int(counts.max())} packets share pts {int(values[counts.argmax()])}"
    if not index.restart[0]:
        return "the first packet is not a key packet"
    if index.hidden.all():
        return "the container's edit list shows none of the packets"
    return None


def plan_runs(index: PacketIndex, wanted: Iterable[int]) -> list[Run]:
    """Plan the fewest packets to decode for the wanted frames.

    A wanted frame is decoded from the nearest restart at or before it. A leading picture is shown before the key frame
    that it follows in decode order, as in open GOPs. It may refer to the group before, so it is decoded from the
    restart of that group. Runs that touch are joined.

    Args:
        index: An index without problem.
        wanted: Positions in decode order.

    Returns:
        Runs in decode order that do not overlap.
    """
    positions = np.unique(np.fromiter(wanted, dtype=np.int64))
    groups = np.searchsorted(index.restarts, positions, side="right") - 1
    leading = index.pts[positions] < index.pts[index.restarts[groups]]
    starts = index.restarts[np.where(leading, np.maximum(groups - 1, 0), groups)]
    # Start, stop and the first of the wanted positions of each run.
    runs: list[tuple[int, int, int]] = []
    for number, (position, start) in enumerate(zip(positions.tolist(), starts.tolist(), strict=True)):
        first = number
        # A start before that of the last run (a leading picture of a lone group) joins that run too.
        while runs and start <= runs[-1][1]:
            before, _, first = runs.pop()
            start = min(start, before)
        runs.append((start, position + 1, first))
    bounds = [*(first for _, _, first in runs), len(positions)]
    return [
        Run(start, stop, frozenset(positions[first:end].tolist()))
        for (start, stop, first), end in zip(runs, bounds[1:], strict=True)
    ]


def depends_on(index: PacketIndex, bad: Iterable[int]) -> np.ndarray:
    """Mark all packets whose frames may be predicted from a damaged one.

    Marked are the damaged packets themselves and all packets after them up to the next restart. The leading pictures of
    that restart are marked too, since they may refer back across it.

    Args:
        index: An addressable index.
        bad: Positions of damaged packets in decode order.

    Returns:
        bool ``[N]``.
    """
    count = len(index.pts)
    bounds = [*index.restarts.tolist(), count]
    marked = np.zeros(count, dtype=bool)
    for position in sorted(bad):
        if marked[position]:
            continue
        group = int(np.searchsorted(bounds, position, side="right"))
        stop = bounds[min(group, len(bounds) - 1)]
        marked[position:stop] = True
        if stop < count:
            after = slice(stop + 1, bounds[group + 1])
            marked[after] |= index.pts[after] < index.pts[stop]
    return marked
