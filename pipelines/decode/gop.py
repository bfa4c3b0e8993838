"""Decode wanted frames from the nearest key packets only (the fast mode).

Every needed group of pictures (GOP) is fed to the decoder up to its last wanted frame in decode order. Non-reference
frames are skipped unless wanted. Then the decoder is drained and flushed; gaps are skipped by seeking. Any difference
from the packet index raises :class:`Unreliable`, and the caller decodes in the forward mode.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipelines.decode.packet_index import (
    NONREF_IS_FINAL,
    Heartbeat,
    PacketIndex,
    Run,
    plan_runs,
    read_packets,
)

# In ticks of any time base: far enough before the first packet that a demuxer lands on it.
_FAR_BEFORE = 1 << 40


class Unreliable(Exception):
    """Error where the file or decoder disagrees with the packet index.

    The text names the difference.
    """


class GopDecoder:
    """A decoder of chosen frames of one stream, by its packet index.

    Args:
        container: The open file; no other code may read from it meanwhile.
        stream: The stream to decode.
        index: Its packet index, without problem.
        heartbeat: Called for every packet read.
    """

    def __init__(
        self, container: InputContainer, stream: VideoStream, index: PacketIndex, heartbeat: Heartbeat
    ) -> None:
        """Keep the arguments; no packet is read yet."""
        self._heartbeat = heartbeat
        self._container = container
        self._stream = stream
        self._index = index

    def first_frame(self) -> VideoFrame:
        """Return the first frame that the decoder shows.

        Raises:
            Unreliable: There is no frame, or it is damaged.
        """
        for packet in self._packets_from(0):
            for frame in self._decode(packet):
                return frame
        for frame in self._decode(None):
            return frame
        raise Unreliable("the decoder shows no frame")

    def frames(self, pending: deque[int]) -> Iterator[tuple[int, VideoFrame]]:
        """Decode the frames with the pending pts, in that order.

        Args:
            pending: pts of the index, ascending. Each pts is removed when its frame is yielded; after an error the rest
                is left in it.

        Yields:
            Each pts with its frame.

        Raises:
            Unreliable: A frame is not shown, is damaged or comes out of order.
        """
        packets: Iterator[Packet] = iter(())
        at: int | None = None
        for run in plan_runs(self._index, self._index.positions(pending)):
            if at is None or self._index.restart[at : run.start].any():
                packets = self._packets_from(run.start)
            else:
                # The group needed next is the next in the file: reading past the rest of this one is cheaper than a
                # seek. That rest need not be decoded.
                for _ in range(at, run.start):
                    next(packets, None)
            self._stream.codec_context.flush_buffers()
            yield from self._run(run, packets, pending)
            at = run.stop

    def _run(self, run: Run, packets: Iterator[Packet], pending: deque[int]) -> Iterator[tuple[int, VideoFrame]]:
        context = self._stream.codec_context
        may_skip = context.name in NONREF_IS_FINAL
        left = {int(self._index.pts[position]): position for position in run.wanted}
        # The decoder reports damage of a frame when it shows the frame, and a B frame is shown before the later frame
        # it refers to. So a frame is held until all frames decoded before it have been shown.
        held: deque[tuple[int, VideoFrame]] = deque()
        furthest = np.maximum.accumulate(self._index.pts[run.start : run.stop])
        context.skip_frame, skipping = "DEFAULT", False
        for position in range(run.start, run.stop + 1):
            last = position == run.stop
            packet = None if last else next(packets, None)
            if packet is None and not last:
                raise Unreliable(f"the file ends before packet {position}, which the index lists")
            skip = may_skip and not last and position not in run.wanted and not self._index.restart[position]
            if skip != skipping:
                context.skip_frame, skipping = ("NONREF" if skip else "DEFAULT"), skip
            for frame in self._decode(packet):
                if frame.pts is None:
                    raise Unreliable("the decoder shows a frame without pts")
                if frame.pts in left:
                    if frame.pts != pending[len(held)]:
                        raise Unreliable(f"pts {frame.pts} is shown before pts {pending[len(held)]}")
                    held.append((int(furthest[left.pop(frame.pts) - run.start]), frame))
                while held and frame.pts >= held[0][0]:
                    yield pending.popleft(), held.popleft()[1]
        if left:
            raise Unreliable(f"the decoder does not show pts {min(left)}")
        while held:
            yield pending.popleft(), held.popleft()[1]

    def _packets_from(self, start: int) -> Iterator[Packet]:
        """Seek to the packet at position ``start``, a restart, and read the packets from there on."""
        index = self._index
        before = int(np.searchsorted(index.restarts, start))
        previous = int(index.restarts[before - 1]) if before else 0
        # Some demuxers search by pts, some by dts, and one without an index may land later than asked.
        targets = [index.pts[start], index.dts[start], index.dts[previous], index.smallest_dts - _FAR_BEFORE]
        for target in targets:
            self._container.seek(int(target), stream=self._stream)
            packets = read_packets(self._container, self._stream, [], self._heartbeat)
            packet = next(packets, None)
            at = int(index.positions([packet.pts])[0]) if packet is not None and packet.pts is not None else -1
            if 0 <= at <= start:
                return self._in_step(packet, packets, at, start)
        raise Unreliable(f"seeking to pts {int(self._index.pts[start])} does not lead there")

    def _in_step(self, packet: Packet | None, packets: Iterator[Packet], at: int, start: int) -> Iterator[Packet]:
        while packet is not None:
            if at >= len(self._index.pts) or packet.pts != self._index.pts[at]:
                raise Unreliable(f"packet {at} has pts {packet.pts} after a seek, but not in the index")
            if at >= start:
                yield packet
            at += 1
            packet = next(packets, None)

    def _decode(self, packet: Packet | None) -> list[VideoFrame]:
        try:
            frames = self._stream.codec_context.decode(packet)
        except av.error.MemoryError:
            raise
        except av.error.FFmpegError as error:
            where = f"at pts {packet.pts}" if packet is not None else "when drained"
            raise Unreliable(f"the decoder fails {where} ({error.strerror})") from error
        for frame in frames:
            if frame.is_corrupt:
                raise Unreliable(f"the decoder repaired the frame at pts {frame.pts}")
        return frames
