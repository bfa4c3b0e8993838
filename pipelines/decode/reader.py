"""Read chosen frames of a video in one pass, by exact pts.

Frames are never found by index = time x frame rate. t = 0 is the first displayed frame. The frame with the nearest pts
is taken for an instant, ties go to the earlier one. So the tolerance is half the local gap, and a variable frame rate
needs no special case. The last frame lasts as long as the gap before it. Only wanted frames are converted. The display
matrix (rotation, mirroring) is applied. Stored pixels are kept as they are when the sample aspect ratio is not square:
no frame is stretched, and sizes count stored pixels.

Two modes give the same frames. ``forward`` decodes the whole file in order; it is the reference. ``gop`` demuxes once
for the packet index and decodes only from the key packets that wanted frames need. When the index cannot be trusted, or
the decoder shows other frames than the index lists, the reader falls back to ``forward``. The reason is in
:attr:`VideoReader.fallback`.

A decoder that meets damaged data goes on and shows wrong pictures, not missing ones. They are not taken: a frame that
the decoder refused or repaired is lost. So is every frame that may be predicted from it, up to the next key frame. No
other frame replaces a lost one. Damage that the decoder does not report cannot be seen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import numpy as np
from av.video.frame import VideoFrame

from data_manifests.errors import InputError
from pipelines.decode.container import VideoError, errors_of, open_stream
from pipelines.decode.convert import RgbConverter, display_matrix
from pipelines.decode.forward import play, scan
from pipelines.decode.gop import GopDecoder, Unreliable
from pipelines.decode.kept_index import kept_index
from pipelines.decode.media_rules import USUAL, MediaRules
from pipelines.decode.output_order import NO_TIMES, may_reorder, with_doubt
from pipelines.decode.packet_index import NO_PTS, Heartbeat, depends_on, read_index, up_to
from pipelines.decode.plan import frame_length_s, nearest_pts
from pipelines.decode.stated import joined_at, second_recording, stated, without_loose_end

_HDR = {16: "PQ", 18: "HLG"}
"""FFmpeg's number of a transfer function → its name, for those of HDR."""


@dataclass(frozen=True)
class VideoInfo:
    """Facts of a video as displayed.

    Attributes:
        codec: Name of the decoder.
        width: Displayed width in stored pixels (after rotation).
        height: Displayed height in stored pixels (after rotation).
        rotation: Counter-clockwise rotation of stored frames in degrees: 0, 90, 180 or 270.
        time_base: Seconds per pts tick.
        first_pts: The pts of t = 0.
        average_rate: Frames per second as the container states them; None when it states none.
        duration_s: From the start of the first to the end of the last displayed frame, in seconds.
        frames_indexed: Number of displayed frames.
    """

    codec: str
    width: int
    height: int
    rotation: int
    time_base: Fraction
    first_pts: int
    average_rate: float | None
    duration_s: float
    frames_indexed: int


@dataclass(frozen=True, eq=False)
class Selection:
    """The frame for each wanted instant.

    Every array has the shape of the instants.

    Attributes:
        pts: int64, pts of the frame; without meaning where ``past_end``.
        past_end: bool, the instant is a frame's length or more past the end.
        missing: bool, the frame exists but is lost by damage.
    """

    pts: np.ndarray
    past_end: np.ndarray
    missing: np.ndarray


@dataclass(frozen=True, eq=False)
class DecodedFrame:
    """One decoded frame.

    Attributes:
        pts: Its pts, in ticks.
        time_s: Seconds from the first displayed frame.
        rgb: uint8 ``[H, W, 3]``, RGB.
    """

    pts: int
    time_s: float
    rgb: np.ndarray


def _nobody_waits() -> None:
    """Do nothing: the heartbeat of a reader without a watcher."""


def open_video(
    path: Path,
    forward: bool = False,
    heartbeat: Heartbeat = _nobody_waits,
    indexes: Path | None = None,
    rules: MediaRules = USUAL,
) -> VideoReader:
    """Open a video and read its packet index.

    When the index is sound, only the first frame is decoded.

    Args:
        path: A file that FFmpeg can read.
        forward: Use the reference mode from the start instead of the fast one.
        heartbeat: Called for every packet read, so that a watcher can distinguish a long video from a hung one.
        indexes: Folder where the packet index is kept for the next reader of the file (see
            :func:`pipelines.decode.kept_index.kept_index`); None keeps no index.
        rules: What the file may ask for, and where it may lie.

    Returns:
        A reader, to be used as a context manager.

    Raises:
        VideoError: The file is missing, unreadable, empty, not a video, or shows no frame.
    """
    return VideoReader(path, forward, heartbeat, indexes, rules)


class VideoReader:
    """An open video; only one iteration of :meth:`frames` may run.

    Attributes:
        info: Facts of the video.
        mode: ``gop`` or ``forward``.
        fallback: Why the reader left the fast mode, in words; None when it did not.
        missing: The wanted pts that :meth:`frames` could not deliver, over all calls.
        hdr: Transfer function of HDR frames, ``PQ`` or ``HLG``; None for others.
        lacking: What the data lacks of the video that the container states, in words; None when nothing is lacking.
    """

    info: VideoInfo
    mode: str
    fallback: str | None
    missing: frozenset[int]
    hdr: str | None
    lacking: str | None

    def __init__(
        self, path: Path, forward: bool, heartbeat: Heartbeat, indexes: Path | None, rules: MediaRules
    ) -> None:
        """Open the file; see :func:`open_video`."""
        self.path = path
        self.mode = "forward" if forward else "gop"
        self.fallback = None
        self.missing = frozenset()
        self.lacking = None
        self._heartbeat, self._rules = heartbeat, rules
        self._converter = RgbConverter()
        self._ordinals: dict[int, int] = {}
        self._ascending = True
        self._container, self._stream = open_stream(self.path, self._rules)
        try:
            with errors_of(self.path):
                self._statement = stated(self.path, self._container, self._stream)
                if indexes is None:
                    self._index = read_index(self._container, self._stream, heartbeat)
                else:
                    self._index = kept_index(self.path, self._container, self._stream, indexes, heartbeat)
                self._leave_out_second_recording()
                self._index = with_doubt(self._index, self._container, self._stream)
                self._compare_with_statement()
                if forward:
                    self._scan()
                    return
                if self._index.in_doubt and not self._times_are_right():
                    return
                try:
                    self._start_gop()
                except Unreliable as found:
                    self._fall_back(found)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> VideoReader:
        """Return the reader itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    @property
    def lost_times(self) -> np.ndarray:
        """Times of the frames that are lost by damage.

        float64, in seconds, ascending.
        """
        return (self._lost - self.info.first_pts) * float(self.info.time_base)

    def select(self, times: np.ndarray) -> Selection:
        """Choose the frame for each instant (see :func:`pipelines.decode.plan.nearest_pts`).

        Args:
            times: float64 of any shape, seconds from the first displayed frame.

        Raises:
            InputError: An instant is negative or not finite.
        """
        tick, first = self.info.time_base, self.info.first_pts
        pts, past_end = nearest_pts(self._exist, tick, first, times, self._lone_frame_s)
        if self._ends_early:
            # What follows the last frame is not there: the frame stands for no instant but its own.
            past_end |= times > self.info.duration_s - self._last_frame_s / 2
        return Selection(pts, past_end, np.isin(pts, self._lost) & ~past_end)

    def frames(self, pts: Iterable[int], short_side: int = 256) -> Iterator[DecodedFrame]:
        """Decode frames in one pass and yield them in ascending pts.

        Each frame is yielded once. Frames that the decoder cannot deliver are left out and added to :attr:`missing`. If
        the fast mode fails on the way, the rest is decoded in the forward mode. Then :attr:`info` and :meth:`select`
        follow the frames that are really displayed.

        Args:
            pts: Values from :meth:`select`, in any order.
            short_side: Short side in pixels, never upscaled; 0 keeps the native size (see
                :func:`pipelines.decode.convert.scaled_size`).

        Raises:
            InputError: A pts is no frame of this video.
            VideoError: The file became unreadable.
        """
        wanted = np.unique(np.fromiter(pts, dtype=np.int64))
        strange = wanted[~np.isin(wanted, self._exist)]
        if strange.size:
            raise InputError(
                f"{self.path}: pts {strange[0]} is no frame of this video; expected values of select(), "
                f"from {self._exist[0]} to {self._exist[-1]}"
            )
        pending = deque(wanted[~np.isin(wanted, self._lost)].tolist())
        self.missing |= frozenset(wanted.tolist()) - frozenset(pending)
        with errors_of(self.path):
            if self.mode == "gop":
                decoder = GopDecoder(self._container, self._stream, self._index, self._heartbeat)
                try:
                    for value, frame in decoder.frames(pending):
                        yield self._converted(value, frame, short_side)
                except Unreliable as found:
                    self._fall_back(found)
            if self.mode == "forward":
                for value, frame in self._forward(pending):
                    yield self._converted(value, frame, short_side)

    def play(self) -> Iterator[tuple[int, VideoFrame]]:
        """Decode the whole file, damaged frames included.

        Yields:
            The pts of each frame, and the frame, in the order of output. Frames without a time are left out.

        Raises:
            VideoError: The file became unreadable.
        """
        with errors_of(self.path):
            self._reopen()
            times = self._index.pts if self._index.in_doubt else None
            for _, frame in play(self._container, self._stream, self._index, [], self._heartbeat):
                if frame.pts is not None:
                    yield int(frame.pts if times is None else times[frame.pts]), frame

    def _converted(self, pts: int, frame: VideoFrame, short_side: int) -> DecodedFrame:
        time_s = float((pts - self.info.first_pts) * self.info.time_base)
        return DecodedFrame(pts, time_s, self._converter.convert(frame, short_side))

    def _leave_out_second_recording(self) -> None:
        at = second_recording(self.path, self._container)
        if at is None or self._index.ends_early:
            return
        # FFmpeg reads on into a second AVI; its first states its number of frames.
        stop = len(self._index.pts)
        if self._container.format.name == "avi" and 0 < self._stream.frames < stop:
            stop = self._stream.frames
        self._index = up_to(self._index, stop, joined_at(at))

    def _compare_with_statement(self) -> None:
        index, rate, tick = self._index, self._stream.average_rate, self._stream.time_base
        whole = ~index.damaged & (index.pts != NO_PTS)
        there = index.pts[whole]
        self.lacking, self._ends_early = index.ends_early, index.ends_early is not None
        if there.size and tick:
            frame_s = float(1 / rate) if rate else frame_length_s(np.sort(there), tick, float(tick))
            # The last frame may be shown for long, where the frame rate varies.
            end = max(
                float(int((there + index.durations[whole]).max()) * tick), float(int(there.max()) * tick) + frame_s
            )
            seconds = end - float(int(there.min()) * tick)
            self.lacking = self.lacking or self._statement.lacking(seconds, len(there), frame_s)
            self._ends_early = self.lacking is not None or bool(index.damaged[-1])
            if self._container.format.name in ("mpegts", "mpeg"):  # they state no length: a hole tells of the cut
                shown = np.unique(index.pts[index.pts != NO_PTS])
                self._ends_early |= len(without_loose_end(shown, shown[:0], frame_s / float(tick))) < len(shown)

    def _times_are_right(self) -> bool:
        """Settle the doubt about the times; where they are wrong, the file is ready to be read forward."""
        doubt, problem = self._index.in_doubt, self._index.problem
        self._reopen()
        if problem or may_reorder(self._container, self._stream, self._heartbeat):
            self._scan()
            if problem or not self._ascending:
                self.mode, self.fallback = (
                    "forward",
                    problem or f"{doubt}, so its frames get them in the order of display",
                )
                return False
        self._index = replace(self._index, in_doubt=None)
        self._reopen()
        return True

    def _start_gop(self) -> None:
        index = self._index
        if index.problem:
            raise Unreliable(index.problem)
        first = GopDecoder(self._container, self._stream, index, self._heartbeat).first_frame()
        visible = index.pts[~index.hidden]
        if first.pts != visible.min():
            raise Unreliable(
                f"the first frame shown has pts {first.pts}, but the smallest in the index is {visible.min()}"
            )
        damaged = depends_on(index, np.flatnonzero(index.damaged).tolist())
        whole = ~index.hidden & ~damaged
        if not whole.any():
            raise Unreliable("every packet is damaged, or its frame is predicted from one that is")
        start = index.pts[whole].min()
        lost = index.pts[~index.hidden & damaged]
        self._describe(first, index.pts[whole], lost[lost > start])

    def _fall_back(self, found: Unreliable) -> None:
        self.mode, self.fallback = "forward", str(found)
        self._scan()

    def _scan(self) -> None:
        self._reopen()
        found = scan(self._container, self._stream, self._index, self._heartbeat, self._ends_early)
        if found.untimed is not None:
            raise VideoError(
                f"{self.path}: frame {found.untimed} has no timestamp, so no frame can be found by its time, and the "
                f"stream states no frame rate; encode it at its rate: ffmpeg -r RATE -i {self.path.name} video.mp4",
                "decode_error",
            )
        if found.first is None or not found.ordinals:
            raise VideoError(
                f"{self.path}: the decoder {self._stream.codec_context.name} shows no intact frame of "
                f"{len(self._index.pts)} packets ({found.refused} refused); expected at least one, "
                "get the file again",
                "decode_error",
            )
        if found.index.in_doubt == NO_TIMES and (found.refused or found.lost.size):
            raise VideoError(
                f"{self.path}: {NO_TIMES}, and {max(found.refused, found.lost.size)} of {len(self._index.pts)} frames "
                "are damaged, so the time of the others cannot be known; get the file again",
                "decode_error",
            )
        self._ordinals, self._index, self._ascending = found.ordinals, found.index, found.ascending
        self._describe(found.first, np.fromiter(found.ordinals, dtype=np.int64), found.lost)

    def _forward(self, pending: deque[int]) -> Iterator[tuple[int, VideoFrame]]:
        self.missing |= frozenset(pending) - self._ordinals.keys()
        wanted = {self._ordinals[pts]: pts for pts in pending if pts in self._ordinals}
        if not wanted:
            return
        last = max(wanted)
        self._reopen()
        for ordinal, frame in play(self._container, self._stream, self._index, [], self._heartbeat):
            if ordinal in wanted:
                yield wanted[ordinal], frame
            if ordinal == last:
                return

    def _reopen(self) -> None:
        # Seeking back to the start is not exact in every container.
        self._container.close()
        self._container, self._stream = open_stream(self.path, self._rules)

    def _describe(self, first: VideoFrame, shown: np.ndarray, lost: np.ndarray) -> None:
        rate, stated = self._stream.average_rate, self._stream.time_base
        if not stated:
            raise VideoError(f"{self.path}: the stream states no time base; expected one", "decode_error")
        tick = Fraction(stated.numerator, stated.denominator)
        shown, first_shown = np.sort(shown), int(shown.min())
        self._lost = lost
        self._exist = np.union1d(shown, self._lost) if self._lost.size else shown
        if self._ends_early:
            self._exist = without_loose_end(self._exist, self._lost, float(1 / (rate * tick)) if rate else np.inf)
            shown, self._lost = (each[each <= self._exist[-1]] for each in (shown, self._lost))
        lengths = self._index.durations[self._index.pts == first_shown]
        if lengths.size and lengths[0] > 0:
            self._lone_frame_s = float(int(lengths[0]) * tick)
        else:
            self._lone_frame_s = float(1 / rate if rate else tick)
        self.hdr = _HDR.get(first.color_trc)
        width, height = first.width, first.height
        if display_matrix(first)[0] == 0:
            width, height = height, width
        span_s = float(int(self._exist[-1] - self._exist[0]) * tick)
        self._last_frame_s = frame_length_s(self._exist, tick, self._lone_frame_s)
        self.info = VideoInfo(
            codec=self._stream.codec_context.name,
            width=width,
            height=height,
            rotation=round(first.rotation / 90) * 90 % 360,
            time_base=tick,
            first_pts=int(self._exist[0]),
            average_rate=float(rate) if rate else None,
            duration_s=span_s + self._last_frame_s,
            frames_indexed=len(shown),
        )
