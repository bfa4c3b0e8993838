"""Decode a whole file in order, and separate displayed from lost frames.

This is the reference mode.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipelines.decode.output_order import in_order_of_output
from pipelines.decode.packet_index import (
    ONE_FRAME_A_PACKET,
    PLACEHOLDER_BYTES,
    Heartbeat,
    PacketIndex,
    depends_on,
    read_packets,
)


@dataclass(frozen=True)
class Refusal:
    """A packet that the decoder refused.

    Attributes:
        position: Its position in decode order.
        frames_before: Number of frames that the decoder gave before it.
    """

    position: int
    frames_before: int


@dataclass(frozen=True, eq=False)
class Scan:
    """Displayed and lost frames, found by decoding a whole file.

    Attributes:
        first: The first frame the decoder gave; None when it gave none.
        ordinals: The displayed frames in display order: pts → number in the order the decoder gives them.
        lost: int64, ascending: pts of frames between displayed ones that are lost by damage.
        refused: Number of packets the decoder refused.
        index: The packet index, with times of display also where those of the file are in doubt.
        ascending: The times of the file ascend in the order in which the frames come out.
        untimed: Number of the first frame without any timestamp, which no time can find; None when all have one.
    """

    first: VideoFrame | None
    ordinals: dict[int, int]
    lost: np.ndarray
    refused: int
    index: PacketIndex
    ascending: bool
    untimed: int | None


@dataclass(frozen=True)
class _Seen:
    pts: int
    key: bool
    corrupt: bool


def play(
    container: InputContainer,
    stream: VideoStream,
    index: PacketIndex,
    refusals: list[Refusal],
    heartbeat: Heartbeat,
    placeholders: list[int] | None = None,
) -> Iterator[tuple[int, VideoFrame]]:
    """Decode the packets of an index from a freshly opened file.

    A refused packet does not end the decoding; it is appended to ``refusals``. A packet that the container marks as
    incomplete is appended too. It is not decoded, since the decoder would spoil the frame before it as well. Positions
    of packets too small for a frame are appended to ``placeholders``: in MPEG-4 they say that a frame stays.

    Yields:
        Every frame with its number, in the order the decoder gives them. Where the times of the index are in doubt, the
        pts of a frame is the position of its packet.
    """
    packets = islice(read_packets(container, stream, [], heartbeat), len(index.pts))
    ordinal, position = 0, 0
    while True:
        packet = next(packets, None)
        frames: list[VideoFrame] = []
        try:
            if packet is not None and packet.is_corrupt:
                refusals.append(Refusal(position, ordinal))
            else:
                if packet is not None and index.in_doubt:
                    packet.pts = packet.dts = position
                if packet is not None and placeholders is not None and packet.size <= PLACEHOLDER_BYTES:
                    placeholders.append(position)
                frames = stream.codec_context.decode(packet)
        except av.error.MemoryError:
            raise
        except av.error.FFmpegError:
            refusals.append(Refusal(position, ordinal))
        for frame in frames:
            yield ordinal, frame
            ordinal += 1
        if packet is None:
            return
        position += 1


def scan(
    container: InputContainer, stream: VideoStream, index: PacketIndex, heartbeat: Heartbeat, cut_off: bool = False
) -> Scan:
    """Decode a whole freshly opened file without converting its frames.

    The displayed frames are the intact ones with ascending times. A frame whose time goes back is dropped, as in
    players. ``cut_off`` says that packets are missing after the last one of the index.
    """
    refusals: list[Refusal] = []
    seen: list[_Seen] = []
    first: VideoFrame | None = None
    placeholders: list[int] = []
    for ordinal, frame in play(container, stream, index, refusals, heartbeat, placeholders):
        first = first or frame
        # Without a pts the time is that of the packet that brought the frame out, as FFmpeg guesses it.
        pts = frame.pts if frame.pts is not None or index.in_doubt else frame.dts
        if pts is None:
            return Scan(first, {}, np.empty(0, dtype=np.int64), len(refusals), index, False, ordinal)
        seen.append(_Seen(pts, frame.key_frame, frame.is_corrupt))

    if stream.codec_context.name == "mpeg4":
        index = _without_placeholders(index, placeholders, seen)
    uncertain = np.empty(0, dtype=np.int64)
    ascending = True
    if index.in_doubt:
        positions = [each.pts for each in seen]
        ascending = bool(np.all(np.diff(index.pts[positions]) > 0))
        index, uncertain = in_order_of_output(index, positions, {each.position for each in refusals}, cut_off)
        seen = [replace(each, pts=int(index.pts[each.pts])) for each in seen]
    if index.addressable:
        one_each = stream.codec_context.name in ONE_FRAME_A_PACKET
        built_on_damage = _damage_by_packet(seen, refusals, index, one_each)
        built_on_damage |= set(index.pts[uncertain].tolist())
        suspect = [each.pts in built_on_damage for each in seen]
    else:
        suspect = _damage_by_display(seen, refusals)
        built_on_damage = {each.pts for each, bad in zip(seen, suspect, strict=True) if bad}

    ordinals: dict[int, int] = {}
    last: int | None = None
    for ordinal, each in enumerate(seen):
        if not suspect[ordinal] and (last is None or each.pts > last):
            ordinals[each.pts] = ordinal
            last = each.pts

    exist = set(built_on_damage)
    if index.addressable and stream.codec_context.name in ONE_FRAME_A_PACKET:
        exist |= set(index.pts.tolist())
    exist -= set(index.pts[index.hidden].tolist())
    lost = np.array(sorted(exist - ordinals.keys()), dtype=np.int64)
    if ordinals and not index.in_doubt:
        # A damaged start still is the start. Leading pictures that nothing can show are none.
        start = index.pts[depends_on(index, [0])] if any(each.position == 0 for each in refusals) else lost[:0]
        lost = lost[(lost > min(ordinals)) | np.isin(lost, start)]
    return Scan(first, ordinals, lost, len(refusals), index, ascending, None)


def _without_placeholders(index: PacketIndex, placeholders: list[int], seen: list[_Seen]) -> PacketIndex:
    """Hide the placeholders, as the frame before them stays.

    Those of packed B frames bring out a frame each. Of such a file none is hidden: a silent one is a lost frame.
    """
    shown = [each.pts for each in seen]
    brings_out = np.isin(np.arange(len(index.pts)) if index.in_doubt else index.pts, shown)
    if brings_out[placeholders].any():
        return index
    hidden = index.hidden.copy()
    hidden[placeholders] = True
    return replace(index, hidden=hidden)


def _damage_by_packet(seen: list[_Seen], refusals: list[Refusal], index: PacketIndex, one_each: bool) -> set[int]:
    bad = {refusal.position for refusal in refusals}
    bad |= set(index.positions(frame.pts for frame in seen if frame.corrupt).tolist()) - {-1}
    if one_each and seen:
        # A packet that shows no frame and raises no error was lost on the way. This does not hold at the start, where
        # leading pictures have no frame to refer to and the decoder still learns the display order.
        silent = ~np.isin(index.pts, [frame.pts for frame in seen]) & ~index.hidden
        settled = index.restarts[1] if len(index.restarts) > 1 else len(index.pts)
        bad |= {position for position in np.flatnonzero(silent).tolist() if position >= settled}
    marked = depends_on(index, [position for position in bad if position < len(index.pts)])
    return set(index.pts[marked].tolist())


def _damage_by_display(seen: list[_Seen], refusals: list[Refusal]) -> list[bool]:
    """Mark damaged frames where no usable pts links a frame to its packet.

    After damage no frame is trusted until the next key frame.
    """
    events = {refusal.frames_before for refusal in refusals}
    suspect: list[bool] = []
    broken = False
    for ordinal, frame in enumerate(seen):
        broken = frame.corrupt or ((broken or ordinal in events) and not frame.key)
        suspect.append(broken)
    return suspect
