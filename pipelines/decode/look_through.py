"""Decode a whole video once, and keep what was seen.

``xmic prepare --check --deep`` does this; ``xmic decode`` says of each such video what was found.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from data_manifests.remote.access import waiting_calls
from data_manifests.remote.path import path_of
from data_manifests.videos import Kind
from pipelines.decode.chunk_source import chunk_files
from pipelines.decode.jpeg_source import open_jpegs
from pipelines.decode.media_rules import MediaRules, VideoError
from pipelines.decode.plan import FramePlan
from pipelines.decode.reader import open_video
from pipelines.decode.source import LostFrame
from pipelines.engine.file_memory import FileKey, FileMemory, file_key


@dataclass(frozen=True)
class LookedThrough:
    """What decoding all of a video showed.

    Attributes:
        frames: number of intact frames.
        lost: number of frames that are damaged, or may be predicted from a damaged one.
        duration_s: from the first frame to the end of the last, in seconds; None for pictures.
        spans: the lost frames as spans, ``[first, last]`` each: in seconds, and of pictures in their numbers.
        unreadable: the error of each chunk that cannot be read.
    """

    frames: int = 0
    lost: int = 0
    duration_s: float | None = None
    spans: list[list[float]] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    @property
    def damage(self) -> str | None:
        """The damage in words; None where none was seen."""
        words = list(self.unreadable[:1])
        if self.lost:
            first = f"frame {self.spans[0][0]:.0f}" if self.duration_s is None else f"{self.spans[0][0]:.3f} s"
            words.append(f"{self.lost} of {self.lost + self.frames} frames are damaged, the first at {first}")
        return "; ".join(words) or None


def look_through(task: tuple[str, Kind, MediaRules], heartbeat: Callable[[], None]) -> LookedThrough:
    """Decode all of a video and count its frames.

    Every fault that the codec can detect counts as damage.

    Args:
        task: path and kind of the video, and its rules.
        heartbeat: called repeatedly, to show that the process is alive.

    Raises:
        VideoError: the video cannot be read.
    """
    path, kind, rules = path_of(task[0]), task[1], replace(task[2], strict=True)
    rules.refuse_outside(path)
    with waiting_calls(heartbeat):
        return _look_through(path, kind, rules, heartbeat)


def _look_through(path: Path, kind: Kind, rules: MediaRules, heartbeat: Callable[[], None]) -> LookedThrough:
    if kind in ("frames", "tar"):
        return _of_pictures(path, rules, heartbeat)
    if kind == "chunks":
        return _of_chunks(path, rules, heartbeat)
    return _of_video(path, 0, rules, heartbeat)


def _of_video(path: Path, start_s: int, rules: MediaRules, heartbeat: Callable[[], None]) -> LookedThrough:
    with open_video(path, forward=True, heartbeat=heartbeat, rules=rules) as reader:
        lost, frame_s = reader.lost_times, 1 / (reader.info.average_rate or 25)
        spans = [[start_s + first, start_s + last] for first, last in _spans(lost, 1.5 * frame_s)]
        return LookedThrough(reader.info.frames_indexed, len(lost), reader.info.duration_s, spans)


def _of_chunks(folder: Path, rules: MediaRules, heartbeat: Callable[[], None]) -> LookedThrough:
    found = LookedThrough(duration_s=0.0)
    for start, file in sorted(chunk_files(folder).items()):
        try:
            seen = _of_video(file, start, rules, heartbeat)
        except VideoError as error:
            found = replace(found, unreadable=[*found.unreadable, str(error)])
            continue
        found = LookedThrough(
            found.frames + seen.frames,
            found.lost + seen.lost,
            start + (seen.duration_s or 0.0),
            found.spans + seen.spans,
            found.unreadable,
        )
    return found


def _of_pictures(path: Path, rules: MediaRules, heartbeat: Callable[[], None]) -> LookedThrough:
    with open_jpegs(path, None, None, heartbeat, rules) as source:
        frames = source.frames(source.numbers, FramePlan(short_side=0))
        lost = np.array([frame.pts for frame in frames if isinstance(frame, LostFrame)], dtype=np.float64)
        return LookedThrough(source.count - len(lost), len(lost), None, _spans(lost, 1.5))


def _spans(lost: np.ndarray, apart: float) -> list[list[float]]:
    """Join ascending places that are not further apart than that."""
    starts = np.flatnonzero(np.diff(lost, prepend=-np.inf) > apart)
    return [[float(part[0]), float(part[-1])] for part in np.split(lost, starts)[1:]]


def looked_through_key(kind: Kind, path: Path) -> FileKey:
    """Return the key under which the result of a file is kept."""
    return file_key(f"looked through 1 {kind}", path)


def text_of(seen: LookedThrough) -> str:
    """Write a result as the text that is kept."""
    return json.dumps(asdict(seen))


def recalled(memory: FileMemory, kind: Kind, path: Path) -> LookedThrough | None:
    """Return the kept result of an unchanged file.

    It is None where the file was not looked through.
    """
    known = memory.get(looked_through_key(kind, path))
    return None if known is None else LookedThrough(**json.loads(known))
