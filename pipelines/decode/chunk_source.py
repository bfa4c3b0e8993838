"""Read frames of a video that was cut into chunk files.

Each file is named by the second it starts at: ``0.mp4``, ``300.mp4``, … LaViLa (Zhao et al., CVPR 2023) reads Ego4D in
this form, from a folder ``<video_uid>.mp4`` of 300 s files. Others read EPIC-KITCHENS in files of 15 s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from data_manifests.videos import CHUNK
from pipelines.decode.container import VideoError
from pipelines.decode.media_rules import USUAL, MediaRules
from pipelines.decode.packet_index import Heartbeat
from pipelines.decode.plan import NO_FRAME, FramePlan
from pipelines.decode.reader import VideoReader, open_video
from pipelines.decode.source import Failure, FrameChoice, LostFrame, StoredFrame
from pipelines.decode.video_source import damaged, hdr_notes, incomplete, nothing_there, past_end, reader_facts, stored
from pipelines.engine.clips import Clip

TICK = Fraction(1, 90_000)
"""Seconds per tick of the key (pts) of a chunked video's frame, counted from second 0 of the chunk names."""

_OPEN_READERS = 4


class ChunkSource:
    """A :class:`pipelines.decode.source.FrameSource` for a folder of chunk files.

    Args:
        path: The folder.
        offset_s: Start of the wanted video within the whole video, in seconds.
        heartbeat: Called for every packet read.
        indexes: Folder of the kept packet indexes, for other videos in the same chunks; None when there are none.
        rules: What each file may ask for, and where it may lie.

    Raises:
        VideoError: There is no chunk in the folder.
    """

    def __init__(
        self,
        path: Path,
        offset_s: float,
        heartbeat: Heartbeat,
        indexes: Path | None = None,
        rules: MediaRules = USUAL,
    ) -> None:
        self._path, self._offset_s, self._heartbeat, self._indexes = path, offset_s, heartbeat, indexes
        self._rules = rules
        self._files = chunk_files(path)
        if not self._files:
            raise VideoError(f"{path}: no chunk in this folder; expected files such as 0.mp4, 300.mp4", "not_a_video")
        self._starts = np.array(sorted(self._files))
        self._readers: dict[int, VideoReader] = {}
        self.notes: list[str] = []
        self._places: dict[int, tuple[int, int]] = {}
        self._known_end_s: float | None = None

    def choose(self, clip: Clip, plan: FramePlan) -> FrameChoice:
        """Choose the nearest frame in the chunk of each instant."""
        # The last chunk is opened for its length only once, not for every clip.
        if self._known_end_s is None:
            self._known_end_s = self._end_s()
        end_s = self._known_end_s - self._offset_s
        stop_s = end_s if clip.stop_s is None else clip.stop_s
        lacking = self._reader(int(self._starts[-1])).lacking if clip.stop_s is None else None
        if lacking:
            return incomplete(plan, f"in {self._files[int(self._starts[-1])].name} {lacking}")
        if stop_s <= clip.start_s:
            return nothing_there(clip, plan, end_s, None)
        times = plan.times(clip.start_s, stop_s)
        at = times + self._offset_s
        chunks = np.searchsorted(self._starts, at, side="right") - 1
        pts, failures = plan.nowhere(), []
        for chunk in np.unique(chunks):
            inside = chunks == chunk
            absent = inside & (at >= self._covered_until(chunk))
            if absent.any():
                error = f"{self._path}: no chunk for {float(at[absent][0]):.3f} s; the nearest one before it is missing"
                failures.append(Failure("missing_video", error, int(absent.sum())))
            inside &= ~absent
            if not inside.any():
                continue
            start = int(self._starts[chunk])
            reader = self._reader(start)
            found = reader.select(at[inside] - start)
            keys = np.where(found.past_end, NO_FRAME, self._keys(start, found.pts))
            pts[inside] = keys
            if found.past_end.any():
                first = float(times[inside][found.past_end][0])
                length = start + reader.info.duration_s - self._offset_s
                failures.append(past_end(int(found.past_end.sum()), times.size, first, length, reader.lacking))
        return FrameChoice(pts, failures)

    def frames(self, pts: Iterable[int], plan: FramePlan) -> Iterator[StoredFrame | LostFrame]:
        """Decode the wanted frames chunk by chunk."""
        of_chunk: dict[int, dict[int, int]] = {}
        for key in sorted(set(pts)):
            start, inner = self._places[key]
            of_chunk.setdefault(start, {})[inner] = key
        for start, keys in sorted(of_chunk.items()):
            delivered: set[int] = set()
            for frame in self._reader(start).frames(keys, short_side=plan.short_side):
                delivered.add(frame.pts)
                yield stored(frame, plan, keys[frame.pts], start + frame.time_s - self._offset_s)
            for inner, key in sorted(keys.items()):
                if inner not in delivered:
                    yield LostFrame(key, damaged(key))

    def facts(self) -> dict[str, Any]:
        """Return the first chunk's facts with the length of the whole video."""
        first = reader_facts(self._reader(int(self._starts[0])))
        time_base = {"time_base_numerator": TICK.numerator, "time_base_denominator": TICK.denominator}
        return {**first, **time_base, "first_pts": 0, "duration_s": self._end_s()}

    def __enter__(self) -> Self:
        """Return the source itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all open chunks."""
        for reader in self._readers.values():
            reader.close()

    def _reader(self, start: int) -> VideoReader:
        # The readers are in order of use: the first is the least recently used one.
        reader = self._readers.pop(start, None)
        if reader is None:
            while len(self._readers) >= _OPEN_READERS:
                self._readers.pop(next(iter(self._readers))).close()
            reader = open_video(self._files[start], heartbeat=self._heartbeat, indexes=self._indexes, rules=self._rules)
            self.notes = self.notes or hdr_notes(reader)
        self._readers[start] = reader
        return reader

    def _keys(self, start: int, pts: np.ndarray) -> np.ndarray:
        info = self._reader(start).info
        keys = np.empty(pts.shape, np.int64)
        for place, value in np.ndenumerate(pts):
            time = start + (int(value) - info.first_pts) * info.time_base
            keys[place] = round(time / TICK)
            self._places[int(keys[place])] = start, int(value)
        return keys

    def _covered_until(self, chunk: int) -> float:
        """Return the second at which the next chunk begins, or would begin if it were there.

        Returns:
            Infinity for the last chunk; minus infinity for an instant before the first chunk.
        """
        if chunk < 0:
            return -np.inf
        gaps = np.diff(self._starts)
        if chunk == len(self._starts) - 1 or not len(gaps):
            return np.inf
        return float(self._starts[chunk] + gaps.min())

    def _end_s(self) -> float:
        last = int(self._starts[-1])
        return last + self._reader(last).info.duration_s


def chunk_files(folder: Path) -> dict[int, Path]:
    """Find the chunk files of a folder; links are left out.

    Returns:
        Start in seconds → file.
    """
    found = ((CHUNK.fullmatch(path.name), path) for path in sorted(folder.iterdir()) if not path.is_symlink())
    return {int(match[1]): path for match, path in found if match}
