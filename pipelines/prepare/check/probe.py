"""Probe the two ends of a video without decoding it all."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from data_manifests.remote.access import waiting_calls
from data_manifests.remote.path import path_of
from data_manifests.videos import Kind
from pipelines.decode.chunk_source import chunk_files
from pipelines.decode.container import VideoError, errors_of, open_stream
from pipelines.decode.jpeg_source import open_jpegs
from pipelines.decode.media_rules import MediaRules
from pipelines.decode.packet_index import demuxed
from pipelines.decode.plan import FramePlan
from pipelines.decode.source import LostFrame
from pipelines.decode.stated import joined_at, second_recording, stated
from pipelines.prepare.check.cut_off import cut_in_packet

Heartbeat = Callable[[], None]

_BACK_S = (2.0, 30.0)


@dataclass(frozen=True)
class Probe:
    """Facts about a video, found at its two ends.

    Attributes:
        duration_s: from the first displayed frame to the end of the last, in seconds; None for JPEGs.
        fps: frames per second as the container states them; None for JPEGs, and where it states none.
        frames: number of JPEGs; None for videos.
        last_frame: the largest JPEG number; None for videos.
        gap: what is missing in between, in words; None when nothing is.
        lacking: what the data lacks of the video that the file states, in words; None when nothing is.
    """

    duration_s: float | None = None
    fps: float | None = None
    frames: int | None = None
    last_frame: int | None = None
    gap: str | None = None
    lacking: str | None = None


def probe(task: tuple[str, Kind, MediaRules], heartbeat: Heartbeat) -> Probe:
    """Probe a video: a file, a folder of chunks, or JPEGs.

    Args:
        task: path and kind of the video, and its rules.
        heartbeat: called repeatedly, to show that the process is alive.

    Raises:
        VideoError: the video cannot be read.
    """
    path, kind, rules = path_of(task[0]), task[1], task[2]
    rules.refuse_outside(path)
    with waiting_calls(heartbeat):
        return _probe(path, kind, rules, heartbeat)


def _probe(path: Path, kind: Kind, rules: MediaRules, heartbeat: Heartbeat) -> Probe:
    if kind == "chunks":
        return _probe_chunks(path, rules, heartbeat)
    if kind in ("frames", "tar"):
        return _probe_jpegs(path, rules, heartbeat)
    return _probe_video(path, rules, heartbeat)


def _probe_video(path: Path, rules: MediaRules, heartbeat: Heartbeat) -> Probe:
    container, stream = open_stream(path, rules)
    with container, errors_of(path):
        statement, second = stated(path, container, stream), second_recording(path, container)
        first = next(iter(container.decode(stream)), None)
        heartbeat()
        if first is None or first.pts is None or not stream.time_base:
            raise VideoError(f"{path}: no frame with a time at its start; get it again", "decode_error")
        rate = stream.average_rate
        end = _end_pts(path, container, stream, rules, heartbeat)
        seconds = float((end - first.pts) * stream.time_base)
        lacking = statement.lacking(seconds, None, 1 / float(rate) if rate else 0.1)
        if second is not None:
            lacking = joined_at(second)
        lacking = lacking or cut_in_packet(path, container.format.name)
        return Probe(duration_s=seconds, fps=float(rate) if rate else None, lacking=lacking)


def _end_pts(
    path: Path, container: InputContainer, stream: VideoStream, rules: MediaRules, heartbeat: Heartbeat
) -> int:
    """Return the pts at which the last packet ends.

    Reading starts as near to the end as there are packets.
    """
    assert stream.time_base is not None
    stated = (stream.start_time or 0) + (stream.duration or 0)
    if not stream.duration and container.duration:
        stated = round(container.duration / av.time_base / stream.time_base)
    for back in _BACK_S:
        try:
            container.seek(max(0, stated - round(back / stream.time_base)), stream=stream)
            end = _last_packet_end(container, stream, heartbeat)
        except av.error.FFmpegError:
            break  # the container does not support seeking
        if end is not None:
            return end
    # The file holds less than its container states: read all of it.
    again, whole = open_stream(path, rules)
    with again:
        end = _last_packet_end(again, whole, heartbeat)
    if end is None:
        raise VideoError(f"{path}: no packet with a time in it; get it again", "decode_error")
    return end


def _last_packet_end(container: InputContainer, stream: VideoStream, heartbeat: Heartbeat) -> int | None:
    assert stream.time_base is not None
    ends: list[int] = []
    usual = round(1 / (stream.average_rate * stream.time_base)) if stream.average_rate else 0
    try:
        for packet in demuxed(container, stream):
            heartbeat()
            if packet.size and packet.pts is not None and not packet.is_corrupt:
                ends.append(packet.pts + (packet.duration or usual))
    except av.error.InvalidDataError:
        pass  # the data ends here
    return max(ends, default=None)


def _probe_chunks(folder: Path, rules: MediaRules, heartbeat: Heartbeat) -> Probe:
    files = chunk_files(folder)
    if not files:
        raise VideoError(f"{folder}: no chunk in this folder; expected files such as 0.mp4, 300.mp4", "not_a_video")
    starts = np.array(sorted(files))
    first, last = (_probe_video(files[starts[place]], rules, heartbeat) for place in (0, -1))
    step = int(np.diff(starts).min()) if len(starts) > 1 else 0
    gap = _gap(files, range(0, int(starts[-1]), step)) if step else None
    cut_off = f"in {files[starts[-1]].name} {last.lacking}" if last.lacking else None
    return Probe(duration_s=int(starts[-1]) + (last.duration_s or 0.0), fps=first.fps, gap=gap, lacking=cut_off)


def _gap(files: Collection[int], expected: range) -> str | None:
    """Count the chunks that are missing.

    They are not listed: a chunk may be named 900000000.mp4.
    """
    absent = len(expected) - sum(start in expected for start in files)
    return (
        f"{absent} chunks are missing, the first is {next(s for s in expected if s not in files)}" if absent else None
    )


def _probe_jpegs(path: Path, rules: MediaRules, heartbeat: Heartbeat) -> Probe:
    with open_jpegs(path, None, None, heartbeat, rules) as source:
        first, last = source.first, source.last
        for frame in source.frames({first, last}, FramePlan()):
            if isinstance(frame, LostFrame):
                raise VideoError(frame.failure.error, frame.failure.reason)
        absent = last - first + 1 - source.count
        gap = f"{absent} frames between {first} and {last} are missing" if absent else None
        return Probe(frames=source.count, last_frame=last, gap=gap)
