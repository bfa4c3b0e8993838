"""Give packets times of display where the file has none.

AVI stores no presentation times, and FFmpeg makes them up in decode order. The same times lie in every MP4, MKV or
MPEG-TS that such a stream was copied into, and a raw stream has none at all. The decoder alone knows the order of
display. So the whole file is decoded once, and the k-th picture that comes out gets the k-th of the stored times.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from pipelines.decode.packet_index import NO_PTS, ONE_FRAME_A_PACKET, Heartbeat, PacketIndex, read_packets

NO_TIMES = "the file stores no times"
"""The doubt about a raw stream."""

# Codecs of one frame per packet whose frames may be shown in another order than they are decoded in.
REORDERED = frozenset({"h264", "hevc", "mpeg4", "mpeg2video", "mpeg1video"})

# Before the type of a picture: the start code of a picture, and the bits before the type.
_PICTURES = {"mpeg4": (b"\0\0\1\xb6", 0), "mpeg2video": (b"\0\0\1\0", 10), "mpeg1video": (b"\0\0\1\0", 10)}
_B_PICTURE = {"mpeg4": (2, 2), "mpeg2video": (3, 3), "mpeg1video": (3, 3)}
"""Codec → number of bits of the type, and its value for a B picture."""


def with_doubt(index: PacketIndex, container: InputContainer, stream: VideoStream) -> PacketIndex:
    """Mark an index whose times may be those of decoding.

    Proper times of a stream with B pictures run back in decode order. Where they never do, either the stream has no B
    picture, or its times are made up. A raw stream that states its frame rate gets times of that rate here.
    """
    context = stream.codec_context
    if context.name in ONE_FRAME_A_PACKET - REORDERED and np.any(np.diff(index.pts) < 0):
        return replace(index, in_doubt="its times run back, though its frames are shown as they are stored")
    if context.name not in REORDERED or not len(index.pts):
        return index
    timed = index.pts != NO_PTS
    if not timed.any():
        ticks = _ticks_a_frame(stream)
        if ticks is None:
            return index
        made_up = np.array([round(number * ticks) for number in range(len(index.pts))], dtype=np.int64)
        return replace(index, pts=made_up, dts=made_up, in_doubt=NO_TIMES)
    if not timed.all():
        if not context.has_b_frames or np.any(index.dts == NO_PTS) or np.any(np.diff(index.dts) <= 0):
            return index
        return replace(index, pts=index.dts, in_doubt="some packets have no time of display")
    if np.any(np.diff(index.pts) < 0):
        return index
    # The decoder learns from a file's first packets whether it has to reorder. An AVI can surprise it later.
    if context.has_b_frames or (container.format.name == "avi" and context.name in ("h264", "hevc")):
        return replace(index, in_doubt="its times of display are those of decoding")
    return index


def _ticks_a_frame(stream: VideoStream) -> Fraction | None:
    """Return the ticks from frame to frame of a raw stream; None where the stream itself states no rate."""
    stated, tick = stream.codec_context.framerate, stream.time_base
    return 1 / (Fraction(stated) * tick) if stated and tick else None


def may_reorder(container: InputContainer, stream: VideoStream, heartbeat: Heartbeat) -> bool:
    """Look for B pictures in the headers of a file's packets.

    Returns:
        False only where it is certain that there are none; codecs with another kind of header may have some.
    """
    codec = stream.codec_context.name
    if codec not in _PICTURES:
        return True
    start, skip = _PICTURES[codec]
    width, b_picture = _B_PICTURE[codec]
    for packet in read_packets(container, stream, [], heartbeat):
        data = bytes(packet)
        place = data.find(start)
        while 0 <= place <= len(data) - 6:
            bits = int.from_bytes(data[place + 4 : place + 6], "big")
            if bits >> (16 - skip - width) & ((1 << width) - 1) == b_picture:
                return True
            place = data.find(start, place + 4)
    return False


def in_order_of_output(
    index: PacketIndex, positions: Sequence[int], refused: Iterable[int], cut_off: bool
) -> tuple[PacketIndex, np.ndarray]:
    """Give packets the stored times in the order of output.

    A packet without a picture has an unknown place in this order. So have the packets near it: as near as pictures of
    this stream are reordered. They are marked, and no picture may be taken from them.

    Args:
        index: An index in doubt.
        positions: Position of the packet of each picture, in the order of output.
        refused: Positions of packets that the decoder refused.
        cut_off: Packets are missing after the last one.

    Returns:
        The index with times of display, and the positions that are uncertain, int64 ascending.
    """
    out = np.asarray(positions, dtype=np.int64)
    horizon = np.maximum.accumulate(out) if out.size else out
    reach = int((horizon - out).max(initial=0))
    gone = np.setdiff1d(np.flatnonzero(~index.hidden), out)
    lost = np.union1d(gone, np.fromiter(refused, dtype=np.int64))
    keys = np.concatenate([horizon, gone])
    order = np.concatenate([out, gone])[np.argsort(keys, kind="stable")]
    pts = index.pts.copy()
    pts[order] = np.sort(index.pts[order])
    # A picture is at most `reach` packets away from where decoding puts it, and so is the lost one.
    near = np.zeros(len(pts), dtype=bool)
    if reach:
        for position in lost.tolist():
            near[max(position - 2 * reach, 0) : position + 2 * reach + 1] = True
        if cut_off:
            near[max(len(pts) - 2 * reach, 0) :] = True
    near[gone] = True
    return replace(index, pts=pts), np.flatnonzero(near)
