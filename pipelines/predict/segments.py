"""Read a table of segments, the intervals of videos to look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from data_manifests.errors import InputError
from data_manifests.readers import Reject
from data_manifests.readers.table_cells import frame_number, text
from data_manifests.readers.table_files import open_table
from data_manifests.times import FORMS, parse_time

_COLUMNS = {
    "video": ("video",),
    "start": ("start", "start_s"),
    "stop": ("stop", "stop_s"),
    "start_frame": ("start_frame",),
    "stop_frame": ("stop_frame",),
    "name": ("name",),
    "noun": ("noun",),
    "verb": ("verb",),
}


@dataclass(frozen=True)
class Segment:
    """Interval of a video, with an optional name and optional true labels.

    Attributes:
        video_id: the video.
        start_s: the start, seconds from the first displayed frame.
        stop_s: the end, excluded, likewise; None = the end of the file.
        name: the user's name of the interval.
        noun: the true noun, where it is known.
        verb: the true verb, where it is known.
    """

    video_id: str
    start_s: float = 0.0
    stop_s: float | None = None
    name: str | None = None
    noun: str | None = None
    verb: str | None = None


def read_segments(
    file: Path, video_ids: Iterable[str], fps: float | None = None, option: str = "--segments"
) -> list[Segment]:
    """Read the segments of a table, in its order.

    Columns ``start`` and ``stop`` (or ``start_s`` and ``stop_s``) hold times: seconds, m:ss, h:mm:ss or, with ``fps``,
    frames such as '1500f'. In place of them, ``start_frame`` and ``stop_frame`` (the last frame) count frames from 0.
    An empty start is 0, an empty stop the end of the file. ``video``, the name or path of one of the videos, is needed
    if there are several. ``name``, ``noun`` and ``verb`` are optional. Other columns are ignored.

    Args:
        file: the table (.csv, .tsv, .parquet or .jsonl).
        video_ids: the videos that it may name.
        fps: frames per second of the videos, for times in frames.
        option: the option that names the file, for messages.

    Raises:
        InputError: a column is missing, a time is not valid, or a video is not one of ``video_ids``; names the row.
    """
    known = list(video_ids)
    found, rows = open_table(file)
    columns = {ours: next((name for name in names if name in found), None) for ours, names in _COLUMNS.items()}
    frames = columns["start"] is None and columns["stop"] is None and bool(columns["start_frame"])
    if frames and fps is None:
        raise InputError(f"{option} {file}: start_frame and stop_frame need the frame rate of the videos: --fps RATE")
    times = ["start_frame", "stop_frame"] if frames else ["start", "stop"]
    needed = [*times, *(["video"] if len(known) > 1 else [])]
    missing = [name for name in needed if columns[name] is None]
    if missing:
        raise InputError(
            f"{option} {file}: no column {', '.join(missing)}; found {', '.join(found) or 'none'}. Expected start and "
            f"stop ({FORMS}), name where you like, and video where there are several videos."
        )
    segments = []
    for line, row in rows:
        cells = {ours: row.get(theirs) if theirs else None for ours, theirs in columns.items()}
        try:
            segments.append(_segment(cells, known, times, fps))
        except (ValueError, Reject) as error:
            raise InputError(f"{option} {file}, row {line}: {error}.") from None
    if not segments:
        raise InputError(f"{option} {file}: no row in it.")
    return segments


def _segment(cells: Mapping[str, Any], known: list[str], times: list[str], fps: float | None) -> Segment:
    if times[0] == "start_frame" and fps is not None:
        first, last = frame_number(cells, "start_frame"), frame_number(cells, "stop_frame")
        start, stop = (first or 0) / fps, None if last is None else (last + 1) / fps
    else:
        start, stop = _moment(cells, "start", fps) or 0.0, _moment(cells, "stop", fps)
    if stop is not None and stop <= start:
        raise ValueError(f"starts at {start:g} s and stops at {stop:g} s; expected a stop after the start")
    words = (text(cells[name]) for name in ("name", "noun", "verb"))
    return Segment(_video_id(text(cells["video"]), known), start, stop, *words)


def _moment(cells: Mapping[str, Any], column: str, fps: float | None) -> float | None:
    written = text(cells[column])
    if written is None:
        return None
    try:
        value = parse_time(written, fps)
    except ValueError as error:
        raise ValueError(f"{column} {error}") from None
    if value < 0:
        raise ValueError(f"{column} {written!r} is before the start of the video; expected 0 or more")
    return value


def _video_id(written: str | None, known: list[str]) -> str:
    if written is None and len(known) == 1:
        return known[0]
    if written in known:
        return str(written)
    pure = PurePosixPath(written or "")
    named = [item for item in known if pure.name and PurePosixPath(item).name == pure.name]
    fits = named or [item for item in known if pure.name and PurePosixPath(item).stem == pure.name]
    if len(fits) != 1:
        what = f"video {written!r} is {'several' if fits else 'none'} of the videos" if written else "no video"
        raise ValueError(f"{what}; expected one of {', '.join(known)}")
    return fits[0]
