"""Compare the length that a container states with its data.

A download that was cut off, and recordings joined byte by byte, still open and play: their length is that of the data,
not that of the recording.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

_SLACK_FRAMES = 2.5
"""Frames by which data may end before the stated end: containers round, and count or leave out the last frame."""

_REORDERED_FRAMES = 16
"""Most frames that a decoder holds back for others that are shown before them."""


@dataclass(frozen=True)
class Statement:
    """Length of the video as its container states it.

    Attributes:
        seconds: From the first to the end of the last frame; None when it states none.
        frames: Number of frames; None when it states none.
        exact: Its list of frames is the one that is read, so that one frame less is a frame that is missing.
        beyond: Its list of frames leads beyond the end of the file.
    """

    seconds: float | None = None
    frames: int | None = None
    exact: bool = False
    beyond: bool = False

    def lacking(self, seconds: float, frames: int | None, frame_s: float) -> str | None:
        """Describe what the data lacks of the statement.

        Args:
            seconds: Length of what the data holds.
            frames: Number of its frames; None where they were not counted.
            frame_s: Length of a frame in seconds.

        Returns:
            The error with both numbers; None when nothing is lacking.
        """
        counted = self.exact and frames is not None and self.frames is not None and frames < self.frames
        # Some programs list frames without data, which are not read: fewer frames alone are no sign.
        slack = 0.5 if counted else _SLACK_FRAMES
        less = self.seconds is not None and self.seconds - seconds > slack * frame_s
        if self.exact and frames is not None and not counted:
            less = False
        if not less and not self.beyond:
            return None
        stated = f"{self.seconds:.3f} s" if self.seconds is not None else "more"
        stated += f" ({self.frames} frames)" if self.frames else ""
        there = f"{seconds:.3f} s" + (f" ({frames} frames)" if frames is not None else "")
        return f"the file states {stated}, its data ends at {there}; get it again"


def stated(path: Path, container: InputContainer, stream: VideoStream) -> Statement:
    """Read the statement of a freshly opened file.

    MPEG-TS and MPEG-PS state nothing, and of other kinds nothing is compared.
    """
    name, tick = container.format.name, stream.time_base
    if not tick:
        return Statement()
    if name.startswith("mov,"):
        entries = stream.index_entries
        seconds = float(stream.duration * tick) if stream.duration else None
        last = entries[len(entries) - 1] if len(entries) else None
        beyond = last is not None and last.pos + last.size > path.stat().st_size
        return Statement(seconds, len(entries) or None, exact=True, beyond=beyond)
    rate = stream.average_rate
    if name == "avi" and stream.frames and rate:
        return Statement(float(stream.frames / rate), stream.frames)
    if name in ("matroska,webm", "flv"):
        whole = container.duration / av.time_base if container.duration else None
        end = _seconds(stream.metadata.get("DURATION", ""))
        # The length of the container is that of its longest stream. A tag can be left over from another file.
        if end is None:
            end = whole if len(container.streams) == 1 else None
        elif whole is not None:
            end = min(end, whole)
        return Statement() if end is None else Statement(end - float((stream.start_time or 0) * tick))
    return Statement()


def _seconds(clock: str) -> float | None:
    """Convert ``00:00:03.000000000`` to seconds; None where it is no such time."""
    parts = clock.replace("\0", "").split(":")
    try:
        hours, minutes, seconds = (float(part) for part in parts)
    except ValueError:
        return None
    return 3600 * hours + 60 * minutes + seconds


def joined_at(place: int) -> str:
    """Describe that another recording begins at a byte."""
    return f"another recording begins at byte {place}, and only the first is read"


def second_recording(path: Path, container: InputContainer) -> int | None:
    """Find where another recording begins in a file, in bytes.

    MP4, MOV, AVI and Matroska are searched.

    Returns:
        The first byte of the other recording; None when there is no other.
    """
    name = container.format.name
    parts = _boxes if name.startswith("mov,") else {"avi": _riffs, "matroska,webm": _elements}.get(name)
    if parts is None or not path.is_file():
        return None
    seen: set[bytes] = set()
    with path.open("rb") as file:
        for at, kind in parts(file, path.stat().st_size):
            if kind in seen:
                return at
            if kind in _ONCE:
                seen.add(kind)
    return None


_EBML = b"\x1a\x45\xdf\xa3"
_ONCE = (b"ftyp", b"moov", b"AVI ", _EBML)


def _boxes(file: BinaryIO, size: int) -> Iterator[tuple[int, bytes]]:
    """Yield position and kind of the top-level boxes of an MP4 or MOV."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        length = int.from_bytes(head[8:16], "big") if length == 1 else length
        yield at, head[4:8]
        if length < 8:  # the last box goes to the end of the file, or the rest is no box
            return
        at += length


def _riffs(file: BinaryIO, size: int) -> Iterator[tuple[int, bytes]]:
    """Yield position and kind of the RIFF parts of an AVI; those of a long one are ``AVIX``."""
    at = 0
    while at + 12 <= size:
        file.seek(at)
        head = file.read(12)
        if head[:4] != b"RIFF":
            return
        yield at, head[8:12]
        length = 8 + int.from_bytes(head[4:8], "little")
        at += length + length % 2


def _elements(file: BinaryIO, size: int) -> Iterator[tuple[int, bytes]]:
    """Yield position and id of the top-level elements of a Matroska file, up to one of unknown length."""
    at = 0
    while at + 12 <= size:
        file.seek(at)
        head = file.read(12)
        yield at, head[:4]
        width = 8 - head[4].bit_length() + 1
        if head[0] >> 4 != 1 or not 1 <= width <= 8:
            return
        length = int.from_bytes(head[4 : 4 + width], "big") & ((1 << 7 * width) - 1)
        if length == (1 << 7 * width) - 1:
            return
        at += 4 + width + length


def without_loose_end(exist: np.ndarray, lost: np.ndarray, usual: float) -> np.ndarray:
    """Leave out the last frames of cut-off data that have holes.

    A frame that is shown later than the cut is decoded before it: the last frames have holes, and no time tells which.

    Args:
        exist: int64 ``[M]``, ascending: pts of the frames, M >= 1.
        lost: int64: pts of those that are damaged.
        usual: Ticks from frame to frame by the stated rate.
    """
    tail = max(len(exist) - _REORDERED_FRAMES, 1)
    gaps = np.diff(exist)
    holes = np.flatnonzero(gaps[tail - 1 :] > 1.5 * min(usual, np.median(gaps) if gaps.size else usual))
    exist = exist[: tail + int(holes[0])] if holes.size else exist
    whole = np.flatnonzero(~np.isin(exist, lost))
    return exist[: int(whole[-1]) + 1]
