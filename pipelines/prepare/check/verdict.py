"""Judge from a probe whether a video fits its clips."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pipelines.decode.jpeg_source import END_SLACK, wrong_rate
from pipelines.decode.look_through import LookedThrough
from pipelines.engine.clips import Clip
from pipelines.prepare.check.probe import Probe

Status = Literal["ok", "missing", "unreadable", "shorter", "incomplete", "other_timing", "damaged"]

STATUSES: dict[Status, str] = {
    "ok": "there, readable, as annotated",
    "missing": "under no video root",
    "unreadable": "there, but it cannot be read",
    "shorter": "ends before one of its clips does",
    "incomplete": "chunks or frames are missing, or its data ends before the length that the file states",
    "other_timing": "longer or shorter than the annotation says, or JPEGs of another frame rate",
    "damaged": "--deep decoded it all and saw damaged frames",
}
"""Status of a video → its meaning in words. A video has the first that holds, in the order missing, unreadable,
other_timing (JPEGs), shorter, incomplete, other_timing, damaged."""

_OTHER_S, _OTHER_SHARE = 1.0, 0.01


@dataclass(frozen=True)
class Verdict:
    """Problem of a video, if any, and the number of clips concerned."""

    status: Status
    detail: str = ""
    clips: int = 0


def judge(video: Mapping[str, Any], clips: Sequence[Clip], probe: Probe) -> Verdict:
    """Compare the probe of a video with its annotation.

    Args:
        video: a row of :data:`data_manifests.schema.VIDEOS` that has a path.
        clips: its clips.
        probe: the facts found at the video's ends.
    """
    if probe.last_frame is not None:
        return _judge_jpegs(video, clips, probe.frames or 0, probe.last_frame, probe.gap)
    offset = video["offset_s"] or 0.0
    end = (probe.duration_s or 0.0) - offset
    slack = 1 / (probe.fps or 25.0)
    late = [clip for clip in clips if max(clip.start_s, clip.stop_s or 0.0) > end + slack]
    if late:
        stop = max(clip.stop_s or clip.start_s for clip in late)
        more = f": {probe.lacking}" if probe.lacking else ""
        return Verdict("shorter", f"ends at {end:.3f} s, its clips at {stop:.3f} s{more}", len(late))
    if probe.gap:
        return Verdict("incomplete", probe.gap, len(clips))
    stated = video["duration_s"]
    if probe.lacking and not (stated and end > stated - slack):
        # Clips that stop before the end of the data are whole.
        return Verdict("incomplete", probe.lacking, sum(clip.stop_s is None for clip in clips))
    # A video that is a part of a longer file ends where its annotation says, not at the end of the file.
    if stated and not offset and abs(end - stated) > max(_OTHER_S, _OTHER_SHARE * stated):
        return Verdict("other_timing", f"lasts {end:.3f} s, the annotation says {stated:.3f} s", len(clips))
    return Verdict("ok")


def _judge_jpegs(video: Mapping[str, Any], clips: Sequence[Clip], frames: int, last: int, gap: str | None) -> Verdict:
    problem = wrong_rate(frames, video["jpeg_rate"], video["duration_s"])
    if problem:
        return Verdict("other_timing", problem, len(clips))
    late = [clip for clip in clips if (clip.stop_frame or 0) > last + END_SLACK]
    if late:
        stop = max(clip.stop_frame or 0 for clip in late)
        return Verdict("shorter", f"the last frame is {last}, its clips go to {stop}", len(late))
    return Verdict("incomplete", gap, len(clips)) if gap else Verdict("ok")


def judge_damage(video: Mapping[str, Any], clips: Sequence[Clip], seen: LookedThrough) -> Verdict:
    """Judge from decoding all of a video whether its frames are whole.

    Args:
        video: a row of :data:`data_manifests.schema.VIDEOS` that has a path.
        clips: its clips.
        seen: the frames that are lost.
    """
    if not seen.damage:
        return Verdict("ok")
    if seen.unreadable:
        return Verdict("damaged", seen.damage, len(clips))
    concerned = [clip for clip in clips if any(_touches(clip, video, *span) for span in seen.spans)]
    return Verdict("damaged", seen.damage, len(concerned))


def _touches(clip: Clip, video: Mapping[str, Any], first: float, last: float) -> bool:
    if video["kind"] in ("frames", "tar"):
        return (clip.start_frame or 0) <= last and first <= (clip.stop_frame or math.inf)
    offset = video["offset_s"] or 0.0
    return clip.start_s + offset <= last and first <= offset + (math.inf if clip.stop_s is None else clip.stop_s)
