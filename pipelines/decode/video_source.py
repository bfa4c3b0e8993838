"""Read frames of one video file, or of a part of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipelines.decode.encode_jpeg import to_jpeg
from pipelines.decode.media_rules import USUAL, MediaRules
from pipelines.decode.packet_index import Heartbeat
from pipelines.decode.plan import NO_FRAME, FramePlan
from pipelines.decode.reader import DecodedFrame, VideoReader, open_video
from pipelines.decode.source import Failure, FrameChoice, LostFrame, StoredFrame
from pipelines.engine.clips import Clip


class VideoSource:
    """A :class:`pipelines.decode.source.FrameSource` for a video file.

    Args:
        path: The file.
        offset_s: Start of the video in the file, in seconds: an Ego4D clip is a part of its full-scale video.
        heartbeat: Called for every packet read.
        indexes: Folder of the file's kept packet index, for other videos in the same file; None when there are none.
        rules: What the file may ask for, and where it may lie.

    Raises:
        VideoError: The file cannot be read.
    """

    def __init__(
        self,
        path: Path,
        offset_s: float,
        heartbeat: Heartbeat,
        indexes: Path | None = None,
        rules: MediaRules = USUAL,
    ) -> None:
        self._reader = open_video(path, heartbeat=heartbeat, indexes=indexes, rules=rules)
        self._offset_s = offset_s
        self.notes = hdr_notes(self._reader)
        heartbeat()

    def choose(self, clip: Clip, plan: FramePlan) -> FrameChoice:
        """Choose the frame nearest to each instant.

        See :func:`pipelines.decode.plan.nearest_pts`.
        """
        end_s = self._reader.info.duration_s - self._offset_s
        lacking = self._reader.lacking
        if clip.stop_s is None and lacking:
            return incomplete(plan, lacking)
        stop_s = end_s if clip.stop_s is None else clip.stop_s
        if stop_s <= clip.start_s:
            return nothing_there(clip, plan, end_s, lacking)
        times = plan.times(clip.start_s, stop_s)
        chosen = self._reader.select(times + self._offset_s)
        pts, failures = chosen.pts.copy(), []
        if chosen.past_end.any():
            first = float(times[chosen.past_end][0])
            failures.append(past_end(int(chosen.past_end.sum()), times.size, first, end_s, lacking))
            pts[chosen.past_end] = NO_FRAME
        return FrameChoice(pts, failures)

    def frames(self, pts: Iterable[int], plan: FramePlan) -> Iterator[StoredFrame | LostFrame]:
        """Decode the wanted frames in one pass."""
        wanted = sorted(set(pts))
        delivered: set[int] = set()
        for frame in self._reader.frames(wanted, short_side=plan.short_side):
            delivered.add(frame.pts)
            yield stored(frame, plan, frame.pts, frame.time_s - self._offset_s)
        for value in wanted:
            if value not in delivered:
                yield LostFrame(value, damaged(value))

    def facts(self) -> dict[str, Any]:
        """Return the decoder's facts of the file."""
        return reader_facts(self._reader)

    def __enter__(self) -> Self:
        """Return the source itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._reader.close()


def hdr_notes(reader: VideoReader) -> list[str]:
    """Return the note about an HDR video; none for others."""
    if reader.hdr is None:
        return []
    return [f"HDR video ({reader.hdr}): its frames are stored as they are, without tone mapping, and look pale"]


def incomplete(plan: FramePlan, lacking: str) -> FrameChoice:
    """Return the choice for a clip up to a cut."""
    pts = plan.nowhere()
    return FrameChoice(pts, [Failure("incomplete", f"the clip goes to the end of the video, but {lacking}", pts.size)])


def nothing_there(clip: Clip, plan: FramePlan, end_s: float, lacking: str | None) -> FrameChoice:
    """Return the choice for a clip that starts after the video's end."""
    error = f"the clip starts at {clip.start_s:.3f} s, the video ends at {end_s:.3f} s" + _why(lacking)
    pts = plan.nowhere()
    return FrameChoice(pts, [Failure("past_end", error, pts.size)])


def past_end(count: int, of: int, first_s: float, end_s: float, lacking: str | None) -> Failure:
    """Describe the failure of instants past the end of the video.

    Args:
        count: Number of instants past the end.
        of: Number of instants of the clip.
        first_s: The first of them past the end, in seconds.
        end_s: End of the video, in seconds.
        lacking: What the file lacks of what it states, in words; None when nothing is lacking.
    """
    error = f"{count} of {of} instants, the first at {first_s:.3f} s, are past the end of the video at {end_s:.3f} s"
    return Failure("past_end", error + _why(lacking), count)


def _why(lacking: str | None) -> str:
    return f": {lacking}" if lacking else ""


def damaged(pts: int) -> Failure:
    """Describe the failure of a frame that is lost by damage."""
    return Failure("decode_error", f"the frame at pts {pts} is damaged, or predicted from one that is")


def stored(frame: DecodedFrame, plan: FramePlan, pts: int, time_s: float) -> StoredFrame:
    """Encode a decoded frame as it is stored."""
    height, width = frame.rgb.shape[:2]
    return StoredFrame(pts, time_s, width, height, to_jpeg(frame.rgb, plan.quality))


def reader_facts(reader: VideoReader) -> dict[str, Any]:
    """Return the facts that a reader has of its file."""
    info = reader.info
    return {
        "codec": info.codec,
        "width": info.width,
        "height": info.height,
        "rotation": info.rotation,
        "time_base_numerator": info.time_base.numerator,
        "time_base_denominator": info.time_base.denominator,
        "first_pts": info.first_pts,
        "duration_s": info.duration_s,
        "average_rate": info.average_rate,
        "read_mode": reader.mode,
        "fallback": reader.fallback,
    }
