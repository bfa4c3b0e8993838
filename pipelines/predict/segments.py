"""Read a table of segments, the intervals of videos to look at."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from data_manifests.errors import InputError
from data_manifests.readers.table_cells import text
from data_manifests.readers.table_files import open_table

_COLUMNS = {"video": ("video",), "start": ("start", "start_s"), "stop": ("stop", "stop_s"), "name": ("name",)}
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:\.\d*)?)")


@dataclass(frozen=True)
class Segment:
    """Interval of a video, with an optional name.

    Attributes:
        video_id: the video.
        start_s: the start, seconds from the first displayed frame.
        stop_s: the end, excluded, likewise; None = the end of the file.
        name: the user's name of the interval.
    """

    video_id: str
    start_s: float = 0.0
    stop_s: float | None = None
    name: str | None = None


def read_segments(file: Path, video_ids: Iterable[str]) -> list[Segment]:
    """Read the segments of a table, in its order.

    Columns ``start`` and ``stop`` (or ``start_s`` and ``stop_s``) hold seconds or h:m:s. An empty start is 0, an empty
    stop the end of the file. ``video``, the name or path of one of the videos, is needed if there are several;
    ``name`` is optional. Other columns are ignored.

    Args:
        file: the table (.csv, .tsv, .parquet or .jsonl).
        video_ids: the videos that it may name.

    Raises:
        InputError: a column is missing, a time is not valid, or a video is not one of ``video_ids``; names the row.
    """
    known = list(video_ids)
    found, rows = open_table(file)
    columns = {ours: next((name for name in names if name in found), None) for ours, names in _COLUMNS.items()}
    needed = ["start", "stop", *(["video"] if len(known) > 1 else [])]
    missing = [name for name in needed if columns[name] is None]
    if missing:
        raise InputError(
            f"--segments {file}: no column {', '.join(missing)}; found {', '.join(found) or 'none'}. Expected start "
            "and stop (seconds or h:m:s), name where you like, and video where there are several videos."
        )
    segments = []
    for line, row in rows:
        cells = {ours: row.get(theirs) if theirs else None for ours, theirs in columns.items()}
        try:
            segments.append(_segment(cells, known))
        except ValueError as error:
            raise InputError(f"--segments {file}, row {line}: {error}.") from None
    if not segments:
        raise InputError(f"--segments {file}: no row in it.")
    return segments


def moment(cell: Any) -> float | None:
    """Parse a time in seconds, minutes or hours.

    Args:
        cell: '12.5' (seconds), '1:02.5' (minutes) or '1:02:03' (hours).

    Returns:
        Seconds; None for an empty cell.

    Raises:
        ValueError: the cell has none of these forms, or is below 0.
    """
    written = text(cell)
    if written is None:
        return None
    clock = _CLOCK.fullmatch(written)
    if clock:
        hours, minutes, seconds = clock.groups()
        return 3600 * int(hours or 0) + 60 * int(minutes) + float(seconds)
    try:
        value = float(written)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{written!r} is no time; expected seconds or h:m:s from the start of the video")
    return value


def _segment(cells: Mapping[str, Any], known: list[str]) -> Segment:
    start, stop = moment(cells["start"]) or 0.0, moment(cells["stop"])
    if stop is not None and stop <= start:
        raise ValueError(f"starts at {start} s and stops at {stop} s; expected a stop after the start")
    return Segment(_video_id(text(cells["video"]), known), start, stop, text(cells["name"]))


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
