"""Look up boxes in a user's table by video and frame.

A frame is found by its time or by its JPEG number.
"""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from data_manifests.errors import InputError, UsageError
from pipelines.engine.digest import digest_table
from pipelines.hands.box_rows import read_box_rows
from pipelines.hands.detector import Box, DetectorIdentity
from pipelines.hands.imported import FarBoxes, NoBoxes, VideoFrames
from pipelines.hands.options import HandsOptions

# In floating point 12.4 - 12.35 is a little more than 0.05.
_ROUNDING_S = 1e-9
_ONE_FRAME_S = 1e-4  # rows of one frame may give its time with other roundings; frames are farther apart


class BoxTable:
    """Boxes from a user's table, a :class:`pipelines.hands.imported.BoxSource`.

    :func:`pipelines.hands.box_rows.read_box_rows` describes the columns.

    The table is read at the first lookup.

    Args:
        file: ``.parquet`` or ``.csv``.
        tolerance_s: largest distance of the nearest row from a frame, in seconds.

    Raises:
        InputError: there is no such file.
        UsageError: the tolerance is negative.
    """

    def __init__(self, file: Path, tolerance_s: float = HandsOptions.boxes_tolerance) -> None:
        if not file.is_file():
            raise InputError(f"--boxes {file}: no such file; expected a table of boxes (.parquet or .csv).")
        if not tolerance_s >= 0:
            raise UsageError(f"--boxes-tolerance {tolerance_s}: expected seconds, 0 or more.")
        self._file = file
        self._tolerance_s = tolerance_s
        self._digests: dict[str, str] = {}
        self.identity = DetectorIdentity(
            f"boxes-{re.sub(r'[^A-Za-z0-9._-]+', '-', file.stem)}",
            {"detector": "boxes", "file": file.name, "tolerance_s": tolerance_s},
            {},
        )

    def digest(self, video_id: str) -> str | None:
        """Return the digest of the video's rows.

        None when the table has no row of the video.
        """
        if video_id not in self._digests and video_id in self._of_video:
            self._digests[video_id] = digest_table(self._of_video[video_id])
        return self._digests.get(video_id)

    def boxes(self, frames: VideoFrames) -> list[list[Box] | NoBoxes | None]:
        """Look up the boxes of each frame.

        They are those of its number, or of the nearest time within the tolerance; of two equally near times, the
        earlier. A frame without such a row gets None.

        Raises:
            NoBoxes: the table has no row of this video, or none within the tolerance of one of its frames.
            InputError: the table has numbers for frames that have times, or the other way round.
        """
        rows = self._of_video.get(frames.video_id)
        if rows is None:
            example = f", but of {next(iter(self._of_video))!r}" if self._of_video else ""
            raise NoBoxes(f"{self._file}: no row of video {frames.video_id!r}{example}", "no_boxes")
        wanted, tolerance = self._wanted(frames, rows.column_names[0])
        every = rows.column(0).to_numpy()
        first = np.flatnonzero(np.diff(every, prepend=-np.inf) > _ONE_FRAME_S)
        places = every[first]
        stop = np.append(first[1:], len(rows))
        right = np.clip(np.searchsorted(places, wanted), 0, len(places) - 1)
        left = np.maximum(right - 1, 0)
        nearest = np.where(np.abs(wanted - places[left]) <= np.abs(places[right] - wanted), left, right)
        away = np.abs(wanted - places[nearest])
        near = away <= tolerance
        if not near.any():
            at = int(away.argmin())
            raise self._far(frames.video_id, rows, float(places[nearest][at]), float(wanted[at]))
        return [
            _boxes(rows.slice(first[at], stop[at] - first[at])) if told else None
            for at, told in zip(nearest, near, strict=True)
        ]

    def _far(self, video_id: str, rows: pa.Table, nearest: float, wanted: float) -> FarBoxes:
        by = rows.column_names[0]
        row, value = self._first_rows[video_id]
        meaning = "the number of a JPEG" if by == "frame" else "seconds from the video's first frame"
        reach = "" if by == "frame" else f" within {self._tolerance_s:g} s (--boxes-tolerance)"
        return FarBoxes(
            f"{self._file}, row {row}: {by} {value:g} of {video_id!r}; expected {meaning}. None of the video's "
            f"{len(rows)} rows is at a decoded frame{reach}: the nearest has {by} {nearest:g}, the frame {wanted:g}."
        )

    @cached_property
    def _first_rows(self) -> dict[str, tuple[int, float]]:
        """Return each video's first row in the file: its number and its place.

        The file is read again, since only an error message needs this.
        """
        table = read_box_rows(self._file)
        names = table.column("video").combine_chunks().dictionary_encode()
        first = np.unique(names.indices.to_numpy(), return_index=True)[1]
        counted_from = 2 if self._file.suffix.lower() == ".csv" else 1  # as read_box_rows counts them
        values = table.column(1).to_numpy()[first]
        videos = names.dictionary.to_pylist()
        return {
            video: (int(row) + counted_from, float(value))
            for video, row, value in zip(videos, first, values, strict=True)
        }

    def _wanted(self, frames: VideoFrames, by: str) -> tuple[np.ndarray, float]:
        if by == "frame" and not frames.numbered:
            raise InputError(
                f"{self._file}: column frame holds numbers of JPEGs, but {frames.video_id} was decoded from a video "
                "file; give time_s in its place, seconds from the video's first frame."
            )
        if by == "time_s" and None in frames.time_s:
            raise InputError(
                f"{self._file}: column time_s holds seconds, but {frames.video_id} was decoded from JPEGs of unknown "
                "rate; give frame in its place, the number of the JPEG."
            )
        if by == "frame":
            return np.array(frames.pts, np.int64), 0
        return np.array(frames.time_s, np.float64), self._tolerance_s + _ROUNDING_S

    @cached_property
    def _of_video(self) -> dict[str, pa.Table]:
        """Return each video's rows, without the video's name, sorted by place.

        Rows of one frame keep the order of the table.
        """
        table = read_box_rows(self._file)
        names = table.column("video").combine_chunks().dictionary_encode()
        codes = names.indices.to_numpy()
        order = np.lexsort((table.column(1).to_numpy(), codes))
        rows = table.drop_columns("video").take(pa.array(order)).combine_chunks()
        starts = np.searchsorted(codes[order], np.arange(len(names.dictionary) + 1))
        spans = zip(names.dictionary.to_pylist(), starts[:-1], np.diff(starts), strict=True)
        return {video: rows.slice(start, length) for video, start, length in spans}


def _boxes(rows: pa.Table) -> list[Box]:
    return [_box(row) for row in rows.to_pylist() if row["x0"] is not None]


def _box(row: dict[str, Any]) -> Box:
    corners = row["x0"], row["y0"], row["x1"], row["y1"]
    return Box(*corners, row["score"], row["side"], row["kind"] or "hand", row["contact"])
