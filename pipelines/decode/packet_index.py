"""The packet index of a video, and which packets must be decoded to see some of its frames.

Demuxing a file without decoding it tells every packet's pts and which packets are key packets. That is
enough to decode only from the needed key packets on, up to the last wanted frame in decode order.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
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
# Of those, the codecs whose decoder can start at any key packet. A GIF frame paints over the one before.
RESTARTS_AT_KEY = ONE_FRAME_A_PACKET - {"gif"}
# Codecs in which a frame marked non-reference is used by no other frame at all. Not HEVC: there the mark
# holds within one temporal sub-layer, and a higher sub-layer may still refer to the frame.
NONREF_IS_FINAL = frozenset({"h264", "mpeg4", "mpeg2video", "mpeg1video"})


@dataclass(frozen=True, eq=False)
class PacketIndex:
    """What demuxing tells about the packets of a video stream, in file (decode) order.

    Attributes:
        pts: int64 ``[N]``, ticks; ``NO_PTS`` where a packet has none.
        dts: int64 ``[N]``, ticks; the pts where a packet has none.
        restart: bool ``[N]``, decoding can start at this packet.
        hidden: bool ``[N]``, decoded but not shown (outside the container's edit list).
        damaged: bool ``[N]``, the container itself says that the packet is incomplete.
        durations: int64 ``[N]``, ticks; 0 where unknown.
        problem: Why the packets can not stand for the frames; None when they can.
    """

    pts: np.ndarray
    dts: np.ndarray
    restart: np.ndarray
    hidden: np.ndarray
    damaged: np.ndarray
    durations: np.ndarray
    problem: str | None

    @property
    def addressable(self) -> bool:
        """Whether a pts names exactly one packet."""
        shown = self.pts[self._by_pts]
        return bool(np.all(shown[:1] != NO_PTS) and np.all(shown[1:] != shown[:-1]))

    @cached_property
    def restarts(self) -> np.ndarray:
        """int64 ``[R]``, positions at which decoding can start, ascending."""
        return np.flatnonzero(self.restart)

    @cached_property
    def smallest_dts(self) -> int:
        """The smallest dts, in ticks."""
        return int(self.dts.min())

    def positions(self, pts: Iterable[int]) -> np.ndarray:
        """Positions in decode order of some pts; only meaningful when :attr:`addressable`.

        Args:
            pts: ``[K]``, ticks.

        Returns:
            int64 ``[K]``; -1 for a pts of no packet.
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
    """Packets [start, stop) in decode order, decoded in one go to show the frames at ``wanted``."""

    start: int
    stop: int
    wanted: frozenset[int]


def demuxed(container: InputContainer, stream: VideoStream) -> Iterator[Packet]:
    """The stream's packets in file order, and an empty one at the end, where PyAV gets so far.

    When damage makes FFmpeg see more streams than there were at first, PyAV ends with an IndexError instead of that
    empty packet.
    """
    try:
        yield from container.demux(stream)
    except IndexError:
        return


def read_packets(
    container: InputContainer, stream: VideoStream, stopped: list[str], heartbeat: Heartbeat
) -> Iterator[Packet]:
    """Demux the stream's packets in file order, without the empty flush packet at the end.

    Data that the demuxer can not parse ends the packets, as it does for any player; the reason is appended
    to ``stopped``. Errors of the disk or the network are raised. ``heartbeat`` is called for every packet.
    """
    try:
        for packet in demuxed(container, stream):
            heartbeat()
            if packet.size:
                yield packet
    except av.error.InvalidDataError as error:
        stopped.append(f"the container is unreadable from here on ({error.strerror})")


def read_index(container: InputContainer, stream: VideoStream, heartbeat: Heartbeat) -> PacketIndex:
    """Demux the whole stream once and keep no payload: 27 bytes a packet, also on the way."""
    stopped: list[str] = []
    pts, dts, durations = array("q"), array("q"), array("q")
    key, hidden, damaged = bytearray(), bytearray(), bytearray()
    for packet in read_packets(container, stream, stopped, heartbeat):
        pts.append(NO_PTS if packet.pts is None else packet.pts)
        dts.append(pts[-1] if packet.dts is None else packet.dts)
        durations.append(packet.duration or 0)
        key.append(packet.is_keyframe)
        hidden.append(packet.is_discard)
        damaged.append(packet.is_corrupt)
    codec = stream.codec_context.name
    restart = np.frombuffer(key, dtype=bool)
    if codec not in RESTARTS_AT_KEY:
        restart[1:] = False
    index = PacketIndex(
        pts=np.frombuffer(pts, dtype=np.int64),
        dts=np.frombuffer(dts, dtype=np.int64),
        restart=restart,
        hidden=np.frombuffer(hidden, dtype=bool),
        damaged=np.frombuffer(damaged, dtype=bool),
        durations=np.frombuffer(durations, dtype=np.int64),
        problem=None,
    )
    return replace(index, problem=_problem(index, codec, stopped))


def _problem(index: PacketIndex, codec: str, stopped: list[str]) -> str | None:
    if not len(index.pts):
        return "the stream has no packets"
    if stopped:
        return stopped[0]
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
    """Plan the fewest packets to decode so that the frames of some packets appear.

    A wanted frame is decoded from the nearest restart at or before it. A leading picture (shown before the
    key frame it follows in decode order, as in open GOPs) may refer to the group before, so it is decoded
    from the restart before that. Runs that touch are one: the decoder goes on through.

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
        # An earlier start than the run before has (a leading picture of a lone group) joins that run too.
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
    """Mark every packet whose picture may be built on a damaged one.

    Those are the damaged packets themselves, what follows them up to the next restart, and that restart's
    leading pictures, which may refer back across it.

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
