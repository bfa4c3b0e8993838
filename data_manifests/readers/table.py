"""Read a user's own table of clips, with any column names.

The table is in CSV, Parquet or JSON lines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from data_manifests.errors import InputError, UsageError
from data_manifests.readers import Reject, RejectRows, SplitRows, VideosByPath
from data_manifests.readers.few import few
from data_manifests.readers.holdout import Classes, HeldOut, Holdout, hold_out
from data_manifests.readers.table_cells import filled, folded, frame_number, seconds, text
from data_manifests.readers.table_classes import PlacedRow, TableClasses
from data_manifests.readers.table_columns import check_columns
from data_manifests.readers.table_files import Row, maybe_cut_off, open_table
from data_manifests.remote.path import is_remote, path_of
from data_manifests.schema import CLIPS, LABELS, REJECTS, Label, canonical_split
from data_manifests.videos import is_safe_relative, is_video_name

COLUMNS = {
    "video": "path of the video, relative to a video root (or absolute below one)",
    "start_s": "start in seconds, m:ss or h:mm:ss; empty = 0",
    "stop_s": "stop, likewise; empty = end of the file",
    "start_frame": "number of the first JPEG, where the video is a folder or tar of numbered ones; with a frame rate, "
    "number of the first frame of a video file, from 0",
    "stop_frame": "number of the last JPEG or frame",
    "verb": "verb, a class name; empty = no label",
    "noun": "noun, a class name; empty = no label",
    "all_nouns": "several nouns of one clip, a list or names with ';' between them; the first is the noun",
    "split": "train, val or test",
    "narration": "free text",
    "clip_id": "unique id; made from video and times when there is no such column",
    "participant_id": "who wears the camera",
    "recording_id": "the recording the clip was cut from; the video when there is no such column",
}
"""The columns a table may have; only ``video`` must be there."""

_ROWS_AT_ONCE = 4096
"""Clips that are kept as Python objects before they become a table, which takes a fifth of the memory."""

_NAMES_OF = {"train": ("train",), "val": ("val", "validation"), "test": ("test",)}


class TableReader(VideosByPath):
    """Reader of one or more tables of clips.

    Args:
        files: tables, each with the split that all its rows belong to; None when a column gives the split.
        columns: our column name → the table's, for those that differ; '' for one that the table does not have,
            although another column looks like it.
        roots: the video roots; absolute paths below them are made relative to them.
        class_files: text files with one class name per line, for the labels whose classes are not to be
            taken from the data.
        fps: frames per second of video files whose clips are given in frames.
        holdout: whole recordings become the split val, all others train; the tables must have no splits.

    Raises:
        UsageError: a column mapping names a column that does not exist, or tables with splits and ``holdout``.
        InputError: a file is missing, of another format, or lacks a needed column.
    """

    name = "table"

    def __init__(
        self,
        files: Sequence[tuple[Path, str | None]],
        columns: Mapping[str, str] | None = None,
        roots: Sequence[Path] = (),
        class_files: Mapping[Label, Path] | None = None,
        fps: float | None = None,
        holdout: Holdout | None = None,
    ) -> None:
        self._files, self._fps, self._holdout = list(files), fps, holdout
        given = next(((file, split) for file, split in self._files if split is not None), None)
        if holdout is not None and given is not None:
            raise UsageError(
                f"{given[1]}={given[0]} and --holdout: --holdout chooses the splits itself. Leave one of the two out."
            )
        self._columns = {name: name for name in COLUMNS} | dict(columns or {})
        self._named = {"video"} | {name for name, theirs in (columns or {}).items() if theirs}
        unknown = sorted(set(self._columns) - set(COLUMNS))
        if unknown:
            raise UsageError(f"--column {unknown[0]}=…: no such column; the columns are {', '.join(COLUMNS)}.")
        self._roots = [root.resolve() for root in roots]
        self._class_files = dict(class_files or {})
        self._class_lists = TableClasses(
            self._class_files, lambda: (item for rows in self._rows.values() for item in rows)
        )
        self._about_files: dict[Path, list[str]] = {}
        self._video_ids: dict[str, str] = {}
        self._held_out: HeldOut | None = None
        self.parameters: Mapping[str, Any] = {
            "reader": self.name,
            "columns": self._columns,
            "splits": [split for _, split in self._files],
            # Keys of tables without these options are as they always were.
            **({} if fps is None else {"fps": fps}),
            **({} if holdout is None else {"holdout": vars(holdout)}),
        }

    def splits(self) -> list[str]:
        """List the splits that occur in the tables."""
        return [split for split in ("train", "val", "test") if split in self._rows]

    def files(self, split: str) -> list[Path]:
        """List all tables and class files.

        The classes are collected from all of them.
        """
        return [*(file for file, _ in self._files), *self._class_files.values()]

    @cached_property
    def _rows(self) -> dict[str, list[PlacedRow]]:
        rows: dict[str, list[PlacedRow]] = {}
        for file, split in self._files:
            for line, row in self._named_rows(file):
                rows.setdefault(self._split_of(file, line, row, split), []).append((file, line, row))
        if not rows:
            raise InputError(f"{', '.join(str(file) for file, _ in self._files)}: no row in it.")
        if self._holdout is None:
            return rows
        known = [self._of_row(row) for _, _, row in rows["train"]]
        self._held_out = hold_out((found for found in known if found is not None), self._holdout)
        parts: dict[str, list[PlacedRow]] = {"train": [], "val": []}
        for item, found in zip(rows["train"], known, strict=True):
            parts["val" if found is not None and found[0] in self._held_out.chosen else "train"].append(item)
        return parts

    def _of_row(self, row: dict[str, Any]) -> tuple[str, Classes] | None:
        """Return the recording of a row and its leading classes; None for a row that will be rejected."""
        with suppress(Reject):
            video_id, _ = self._video_id(row), _interval(row, self._fps)
            first = [(label, name) for label in LABELS for name in self._class_lists.of_row(row, label)[:1]]
            return filled(row.get("recording_id"), "recording_id") or video_id, frozenset(first)
        return None

    def _split_of(self, file: Path, line: int, row: dict[str, Any], given: str | None) -> str:
        try:
            stated = text(row.get("split"), "split")
        except Reject as error:
            raise InputError(f"{file}, row {line}: {error}.") from None
        if self._holdout is not None:
            if stated is not None:
                raise InputError(
                    f"{file}, row {line}: split {stated!r}, and --holdout chooses the splits itself. Leave --holdout "
                    "out to use the column, or map it away with --column split=."
                )
            return "train"
        if given is None and stated is None:
            raise InputError(
                f"{file}, row {line}: no split. Add a column split (train, val or test), map one with "
                f"--column split=NAME, say it for the whole file: train={file.name}, or hold out recordings: "
                "--holdout 20%."
            )
        if given is None and stated is not None:
            try:
                return canonical_split(stated)
            except UsageError as error:
                raise InputError(f"{file}, row {line}: {error}") from None
        if stated is not None and stated.lower() not in _NAMES_OF[str(given)]:
            raise InputError(
                f"{file}, row {line}: split {stated!r}, but the file was given as {given}={file.name}. "
                "Leave the split before '=' out to use the column, or take the column out of the table."
            )
        return str(given)

    def _named_rows(self, file: Path) -> Iterator[Row]:
        found, rows = open_table(file)
        # Blanks around the names in a header are no part of them, those in a mapping neither.
        columns = {
            name: theirs if theirs in found else theirs.strip() for name, theirs in self._columns.items() if theirs
        }
        missing = [columns.get(name, "video") for name in sorted(self._named) if columns.get(name) not in found]
        if missing:
            alike = next((name for name in found if folded(name) == "video" != name), "path")
            raise InputError(
                f"{file}: no column {', '.join(missing)}; found {', '.join(found) or 'none'}. "
                f"Map a column with --column OURS=THEIRS, for instance --column video={alike}."
            )
        there = {name: theirs for name, theirs in columns.items() if theirs in found}
        unread = check_columns(file, found, {name: columns.get(name, "") for name in COLUMNS})
        self._about_files[file] = [about for about in (unread, maybe_cut_off(file, found, rows)) if about]
        for line, row in rows:
            yield line, {name: row.get(theirs) for name, theirs in there.items()}

    def classes(self) -> dict[Label, pa.Table]:
        """Return the class lists of nouns and verbs.

        The names are those of the class files, else all names in the data in alphabetical order.
        """
        return {label: self._class_lists.table(label) for label in LABELS}

    def read(self, split: str) -> SplitRows:
        """Read each row of the split as clip or reject.

        Raises:
            InputError: the tables have no row of the split.
        """
        if split not in self._rows:
            raise InputError(f"no row of split {split}; the tables have {', '.join(self.splits())}.")
        clips: list[dict[str, Any]] = []
        tables: list[pa.Table] = []
        origins: list[tuple[str, int]] = []
        rejects = RejectRows()
        made: Counter[str] = Counter()
        seen: set[str] = set()
        earlier = _EarlierRows()
        for file, line, row in self._rows[split]:
            given, origin = None, (file.name, line)
            try:
                given = filled(row.get("clip_id"), "clip_id")
                clip = self._clip(row)
                earlier.check(clip, given, origin)
                clip_id = given or _made_id(clip, made)
                if clip_id in seen:
                    raise Reject("duplicate_id", f"clip_id {clip_id!r} is in an earlier row")
            except Reject as reject:
                rejects.add(file, line, given, reject.reason, reject.detail)
                continue
            seen.add(clip_id)
            clips.append({"clip_id": clip_id, **clip})
            origins.append(origin)
            if len(clips) == _ROWS_AT_ONCE:
                tables.append(pa.Table.from_pylist(clips, schema=CLIPS))
                clips.clear()
        files = dict.fromkeys(file for file, _, _ in self._rows[split])
        about_files = [sentence for file in files for sentence in self._about_files[file]]
        table = pa.concat_tables([*tables, pa.Table.from_pylist(clips, schema=CLIPS)]).combine_chunks()
        findings = [*about_files, *earlier.findings(), *self._class_lists.findings()]
        if self._held_out is not None and split == "val":
            findings += self._held_out.sentences()
        if split == "train":
            findings += few(table)
        findings += _frames_of_files(table)
        return SplitRows(
            table,
            pa.Table.from_pylist(rejects.rows, schema=REJECTS),
            origins,
            findings,
        )

    def _clip(self, row: dict[str, Any]) -> dict[str, Any]:
        video_id = self._video_id(row)
        return {
            "video_id": video_id,
            "recording_id": filled(row.get("recording_id"), "recording_id") or video_id,
            **_interval(row, self._fps),
            "narration": filled(row.get("narration"), "narration"),
            "participant_id": filled(row.get("participant_id"), "participant_id"),
            **self._labels(row),
        }

    def _labels(self, row: dict[str, Any]) -> dict[str, Any]:
        nouns, verb = self._class_lists.of_row(row, "noun"), next(iter(self._class_lists.of_row(row, "verb")), None)
        ids = [self._class_lists.class_id("noun", noun) for noun in nouns]
        return {
            "noun": nouns[0] if nouns else None,
            "noun_class": ids[0] if ids else None,
            "all_noun_classes": ids or None,
            "verb": verb,
            "verb_class": None if verb is None else self._class_lists.class_id("verb", verb),
        }

    def _video_id(self, row: dict[str, Any]) -> str:
        video = text(row.get("video"), "video")
        if video is None:
            raise Reject("missing_value", "the cell of column video is empty")
        if video not in self._video_ids:  # a video has many rows
            self._video_ids[video] = self._id_of_video(video)
        return self._video_ids[video]

    def _id_of_video(self, video: str) -> str:
        path = path_of(video)
        if path.is_absolute() and "\x00" not in video:
            below = [root for root in self._roots if path.resolve().is_relative_to(root)]
            relative = path.resolve().relative_to(below[0]).as_posix() if below else ""
            if is_safe_relative(relative):
                return relative
        if is_remote(path) or not is_safe_relative(video):
            raise Reject("unsafe_path", f"{video!r} does not stay below a video root (--videos)")
        return Path(video).as_posix()


def parse_files(items: Sequence[str]) -> list[tuple[Path, str | None]]:
    """Parse table files with an optional split: 'train=clips.csv'.

    All rows of 'train=clips.csv' are of split train. A plain 'clips.csv' has a column that gives the split.

    Raises:
        UsageError: the word before '=' is no split (a file name with '=' in it needs a split before it).
    """
    pairs: list[tuple[Path, str | None]] = []
    for item in items:
        split, equals, file = item.partition("=")
        named = equals and not is_remote(item)  # an address may have '=' in it
        pairs.append((path_of(file), canonical_split(split)) if named else (path_of(item), None))
    return pairs


class _EarlierRows:
    """Rows of a split read so far, to find repeated ones."""

    def __init__(self) -> None:
        self._rows: dict[Any, tuple[str, int]] = {}
        self._intervals: set[Any] = set()
        self._same_interval = 0
        self._own_ids = 0

    def check(self, clip: dict[str, Any], given_id: str | None, origin: tuple[str, int]) -> None:
        """Refuse a row without its own id that equals an earlier one.

        Raises:
            Reject: the row equals an earlier one.
        """
        times = (None if clip[name] is None else round(clip[name], 3) for name in ("start_s", "stop_s"))
        interval = (clip["video_id"], *times, clip["start_frame"], clip["stop_frame"])  # floats differ by rounding
        content = (interval, clip["verb"], clip["narration"], tuple(clip["all_noun_classes"] or ()))
        if content in self._rows and given_id is None:
            of, row = self._rows[content]
            raise Reject("duplicate_row", f"the same clip and labels as row {row} of {of}")
        self._own_ids += content in self._rows
        self._same_interval += interval in self._intervals and content not in self._rows
        self._rows.setdefault(content, origin)
        self._intervals.add(interval)

    def findings(self) -> list[str]:
        """Report the repeated rows and intervals that were kept."""
        counts = (
            (self._own_ids, "rows say the same as an earlier one under a clip_id of their own; they are kept"),
            (self._same_interval, "rows have the interval of an earlier one and other labels; they are kept"),
        )
        return [f"{count} {words}" for count, words in counts if count]


def _interval(row: dict[str, Any], fps: float | None) -> dict[str, Any]:
    start, stop = seconds(row, "start_s", fps) or 0.0, seconds(row, "stop_s", fps)
    first, last = frame_number(row, "start_frame"), frame_number(row, "stop_frame")
    if fps is not None and first is not None and last is not None and not text(row.get("start_s")):
        # Frames of a video file are times; the last one is shown until the next begins.
        start, stop, first, last = first / fps, (last + 1) / fps, None, None
    if start < 0:
        raise Reject("bad_time", f"start_s {start} is before the start of the video")
    if stop is not None and stop <= start:
        raise Reject("not_positive_duration", f"starts at {start} s, stops at {stop} s")
    if (first is None) != (last is None):
        raise Reject("bad_time", f"start_frame {first} and stop_frame {last}: expected both or neither")
    if first is not None and last is not None and last < first:
        raise Reject("not_positive_duration", f"starts at frame {first}, stops at frame {last}")
    return {"start_s": start, "stop_s": stop, "start_frame": first, "stop_frame": last}


def _frames_of_files(clips: pa.Table) -> list[str]:
    """Say how many clips count frames of a video file, which has times only."""
    first, videos = clips.column("start_frame").to_pylist(), clips.column("video_id").to_pylist()
    count = sum(frame is not None and is_video_name(video) for frame, video in zip(first, videos, strict=True))
    text_of = "rows have start_frame and a video file; without its frame rate (--fps RATE) the whole file is the clip"
    return [f"{count} {text_of}"] if count else []


def _made_id(clip: dict[str, Any], made: Counter[str]) -> str:
    if clip["start_frame"] is not None:
        name = f"{clip['video_id']}@f{clip['start_frame']}-{clip['stop_frame']}"
    else:
        stop = "end" if clip["stop_s"] is None else f"{clip['stop_s']:.3f}"
        name = f"{clip['video_id']}@{clip['start_s']:.3f}-{stop}"
    made[name] += 1
    return name if made[name] == 1 else f"{name}#{made[name]}"
