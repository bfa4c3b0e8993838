"""Present new footage to ``prepare`` as a dataset of unlabelled clips."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from data_manifests.errors import InputError, UsageError
from data_manifests.readers import SplitRows, VideosByPath
from data_manifests.remote.path import refuse_address
from data_manifests.schema import CLIPS, REJECTS, Label
from data_manifests.videos import kind_of
from pipelines.engine.digest import FileDigests, digest_json
from pipelines.engine.file_memory import FileMemory
from pipelines.engine.progress import Progress
from pipelines.predict.frames import Frames
from pipelines.predict.segments import Segment, read_segments
from pipelines.prepare.check.probe import Probe
from pipelines.prepare.check.run import probe_files

DATASET, SPLIT = "footage", "test"
"""Dataset and split of new footage in its workspace."""


@dataclass(frozen=True)
class ClipRule:
    """Rule that cuts videos into clips; by default one clip per file.

    Attributes:
        segments: a table of intervals.
        window_s: length of sliding windows, seconds.
        stride_s: seconds from the start of a window to the start of the next; None = ``window_s``.
        fps: frames per second of the videos, for tables with times in frames.
        truth: a table of intervals with their true labels, to be drawn.
    """

    segments: Path | None = None
    window_s: float | None = None
    stride_s: float | None = None
    fps: float | None = None
    truth: Path | None = None

    def __post_init__(self) -> None:
        """Check that the values fit together.

        Raises:
            UsageError: the values contradict each other, or a length is not above 0.
        """
        if self.segments is not None and self.window_s is not None:
            raise UsageError("--segments and --window: choose one of them.")
        if self.stride_s is not None and self.window_s is None:
            raise UsageError(
                f"--stride {self.stride_s:g}: it is the step of sliding windows; say how long with --window."
            )
        limits = (("--window", self.window_s, "seconds"), ("--stride", self.stride_s, "seconds"))
        for option, value, unit in (*limits, ("--fps", self.fps, "frames per second")):
            if value is not None and not 0 < value < float("inf"):
                raise UsageError(f"{option} {value:g}: expected a number of {unit} above 0.")


@dataclass(frozen=True)
class Footage:
    """Videos and the clips to look at.

    Attributes:
        root: the folder that all videos are below.
        videos: id (path below the root) → absolute path.
        clips: in the order of the videos or of the table of segments.
        truth: intervals with true labels, where they are known; they change no answer.
    """

    root: Path
    videos: Mapping[str, Path]
    clips: Sequence[Segment]
    truth: Sequence[Segment] = ()

    @property
    def roots(self) -> list[Path]:
        """Folders of the videos: the root, and the targets of links."""
        return list(dict.fromkeys([self.root, *(path.resolve().parent for path in self.videos.values())]))

    def digest(self, digests: FileDigests) -> str:
        """Compute the digest of the videos' contents and the clips.

        It does not depend on the folders of the videos.
        """
        contents = {
            video_id: [path.stat().st_size, digests.head_and_tail(path)] for video_id, path in self.videos.items()
        }
        return digest_json([contents, [[clip.video_id, clip.start_s, clip.stop_s, clip.name] for clip in self.clips]])


def find_footage(
    videos: Sequence[Path | str | Frames],
    rule: ClipRule,
    memory: FileMemory,
    workers: int,
    progress: Progress,
    arrays: Path,
) -> Footage:
    """List the videos and cut them into clips.

    Args:
        videos: video files, or frames as arrays.
        rule: how the videos are cut.
        memory: cached results of probing videos; sliding windows need the length of a video.
        workers: processes that probe videos.
        progress: receives each video that was probed, and each that cannot be read.
        arrays: folder that keeps the frames of arrays as files.

    Raises:
        InputError: a video is missing or not a file, or the table of segments is wrong.
        UsageError: no video is given, or one is given twice.
    """
    if not videos:
        raise UsageError("no video: name one or more video files.")
    paths = [refuse_address(video).absolute() for video in videos if not isinstance(video, Frames)]
    for path in paths:
        if not path.is_file():
            found = "a folder" if path.is_dir() else "no such file"
            raise InputError(f"{path}: {found}; expected a video file.")
    twice = next((path for number, path in enumerate(paths) if path in paths[:number]), None)
    if twice is not None:
        raise UsageError(f"{twice}: named twice.")
    shared = Path(os.path.commonpath([path.parent for path in paths] or [arrays.absolute()]))
    named = {path.relative_to(shared).as_posix(): path for path in paths}
    for video in videos:
        if isinstance(video, Frames):
            path = video.write(arrays).absolute()
            if path.name in named or (shared / path.name).exists():
                raise UsageError(f"frames: name {video.name!r}: another video has this name; give each its own.")
            named[path.name] = path
    truth = read_segments(rule.truth, named, rule.fps, "--truth") if rule.truth is not None else None
    if rule.segments is not None:
        listed = read_segments(rule.segments, named, rule.fps)
        return Footage(shared, named, listed, listed if truth is None else truth)
    if rule.window_s is None:
        return Footage(shared, named, [Segment(video_id) for video_id in named], truth or ())
    files = {video_id: (path, kind_of(path) or "video") for video_id, path in named.items()}
    ends = probe_files(memory, files, workers, progress, "length of videos")
    clips: list[Segment] = []
    for video_id in named:
        seen = ends[video_id]
        if isinstance(seen, Probe) and seen.duration_s:
            clips += windows(video_id, seen.duration_s, rule.window_s, rule.stride_s or rule.window_s)
        else:
            # Its one clip will fail in decode, which records the reason.
            clips.append(Segment(video_id))
    return Footage(shared, named, clips, truth or ())


def windows(video_id: str, duration_s: float, window_s: float, stride_s: float) -> list[Segment]:
    """Cut a video into sliding windows; the last ends with the video."""
    found: list[Segment] = []
    while not found or (len(found) * stride_s < duration_s and (found[-1].stop_s or 0.0) < duration_s):
        start = len(found) * stride_s
        found.append(Segment(video_id, start, min(start + window_s, duration_s)))
    return found


class FootageReader(VideosByPath):
    """Reader of new footage, with clips that have no label.

    See :class:`data_manifests.readers.Reader`.

    Args:
        footage: videos and clips.
        classes: label → class list of the words to choose from; None until there are words.
    """

    name = "footage"

    def __init__(self, footage: Footage, classes: Mapping[Label, pa.Table] | None = None) -> None:
        self._footage = footage
        self._classes = dict(classes or {})
        self.parameters: Mapping[str, Any] = {"reader": self.name}

    def splits(self) -> list[str]:
        """Return the only split."""
        return [SPLIT]

    def files(self, split: str) -> list[Path]:
        """Return no file: the clips are not read from the dataset's files."""
        return []

    def classes(self) -> dict[Label, pa.Table]:
        """Return the words of each label as class lists."""
        return self._classes

    def read(self, split: str) -> SplitRows:
        """Return the clips, without labels.

        The user's name of a clip is in the column ``narration``.
        """
        rows = [
            {
                "clip_id": f"{clip.video_id}#{number}",
                "video_id": clip.video_id,
                "recording_id": clip.video_id,
                "start_s": clip.start_s,
                "stop_s": clip.stop_s,
                "narration": clip.name,
            }
            for number, clip in enumerate(self._footage.clips)
        ]
        origins = [(self.name, number) for number in range(1, len(rows) + 1)]
        return SplitRows(pa.Table.from_pylist(rows, schema=CLIPS), pa.Table.from_pylist([], schema=REJECTS), origins)
