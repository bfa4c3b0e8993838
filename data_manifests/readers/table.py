"""A user's own table of clips: CSV, Parquet or JSON lines, with any column names."""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data_manifests.classes import class_row, class_table
from data_manifests.errors import InputError, UsageError
from data_manifests.readers import RejectRows, SplitRows, VideoFacts
from data_manifests.schema import CLIPS, LABELS, REJECTS, Label, canonical_split
from data_manifests.videos import Place, is_safe_relative

COLUMNS = {
    "video": "path of the video, relative to a video root (or absolute below one)",
    "start_s": "start in seconds; empty = 0",
    "stop_s": "stop in seconds; empty = end of the file",
    "verb": "verb, a class name; empty = no label",
    "noun": "noun, a class name; empty = no label",
    "split": "train, val or test",
    "narration": "free text",
    "clip_id": "unique id; made from video and times when there is no such column",
    "participant_id": "who wears the camera",
}
"""The columns a table may have; only ``video`` must be there."""

_NAMES_OF = {"train": ("train",), "val": ("val", "validation"), "test": ("test",)}
_Row = tuple[int, dict[str, Any]]


class TableReader:
    """Reads one or more tables of clips.

    Args:
        files: tables with the split that all rows of each belong to, or None when a column says it.
        columns: our column name → the table's, for those that differ.
        roots: the video roots, to turn absolute paths below them into relative ones.
        class_files: a text file with one class name a line, for the labels whose classes are not to be
            taken from the data.

    Raises:
        UsageError: a column mapping names a column that does not exist.
        InputError: a file is missing, of another format, or lacks a needed column.
    """

    name = "table"

    def __init__(
        self,
        files: Sequence[tuple[Path, str | None]],
        columns: Mapping[str, str] | None = None,
        roots: Sequence[Path] = (),
        class_files: Mapping[Label, Path] | None = None,
    ) -> None:
        self._files = list(files)
        self._columns = {name: name for name in COLUMNS} | dict(columns or {})
        self._named = set(columns or {})
        unknown = sorted(set(self._columns) - set(COLUMNS))
        if unknown:
            raise UsageError(f"--column {unknown[0]}=…: no such column; the columns are {', '.join(COLUMNS)}.")
        self._roots = [root.resolve() for root in roots]
        self._class_files = dict(class_files or {})
        self.parameters: Mapping[str, Any] = {
            "reader": self.name,
            "columns": self._columns,
            "splits": [split for _, split in self._files],
        }

    def splits(self) -> list[str]:
        """The splits that occur in the tables."""
        return [split for split in ("train", "val", "test") if split in self._rows]

    def files(self, split: str) -> list[Path]:
        """All tables and class files: the classes come from all of them."""
        return [*(file for file, _ in self._files), *self._class_files.values()]

    @cached_property
    def _rows(self) -> dict[str, list[tuple[Path, int, dict[str, Any]]]]:
        rows: dict[str, list[tuple[Path, int, dict[str, Any]]]] = {}
        for file, split in self._files:
            for line, row in self._named_rows(file):
                rows.setdefault(self._split_of(file, line, row, split), []).append((file, line, row))
        if not rows:
            raise InputError(f"{', '.join(str(file) for file, _ in self._files)}: no row in it.")
        return rows

    def _split_of(self, file: Path, line: int, row: dict[str, Any], given: str | None) -> str:
        stated = _text(row.get("split"))
        if given is None and stated is None:
            raise InputError(
                f"{file}, row {line}: no split. Add a column split (train, val or test), map one with "
                f"--column split=NAME, or say it for the whole file: train={file.name}."
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

    def _named_rows(self, file: Path) -> Iterator[_Row]:
        if not file.is_file():
            raise InputError(f"{file}: no such file; expected a table of clips (.csv, .tsv, .parquet or .jsonl).")
        found, rows = _open_table(file)
        needed = sorted({"video"} | self._named)
        missing = [self._columns[name] for name in needed if self._columns[name] not in found]
        if missing:
            raise InputError(
                f"{file}: no column {', '.join(missing)}; found {', '.join(found) or 'none'}. "
                "Map a column with --column OURS=THEIRS, for instance --column video=path."
            )
        for line, row in rows:
            yield line, {name: row.get(theirs) for name, theirs in self._columns.items()}

    def classes(self) -> dict[Label, pa.Table]:
        """Class names from the class files, else every name in the data in alphabetical order."""
        return {label: self._class_table(label) for label in LABELS}

    def _class_table(self, label: Label) -> pa.Table:
        file = self._class_files.get(label)
        names = _read_names(file) if file else self._names_in_data(label)
        return class_table([class_row(number, name, name) for number, name in enumerate(names)])

    def _names_in_data(self, label: Label) -> list[str]:
        every = (_text(row.get(label)) for rows in self._rows.values() for _, _, row in rows)
        return sorted({name for name in every if name is not None})

    @cached_property
    def _ids(self) -> dict[Label, dict[str, int]]:
        return {
            label: {name: i for i, name in enumerate(table.column("name").to_pylist())}
            for label, table in self.classes().items()
        }

    def read(self, split: str) -> SplitRows:
        """Every row of the split as a clip or a reject."""
        if split not in self._rows:
            raise InputError(f"no row of split {split}; the tables have {', '.join(self.splits())}.")
        clips: list[dict[str, Any]] = []
        origins: list[tuple[str, int]] = []
        rejects = RejectRows()
        made: Counter[str] = Counter()
        seen: set[str] = set()
        for file, line, row in self._rows[split]:
            try:
                clip = self._clip(row)
            except _Reject as reject:
                rejects.add(file, line, _text(row.get("clip_id")), reject.reason, reject.detail)
                continue
            clip_id = _text(row.get("clip_id")) or _made_id(clip, made)
            if clip_id in seen:
                rejects.add(file, line, clip_id, "duplicate_id", f"clip_id {clip_id!r} stands in an earlier row")
                continue
            seen.add(clip_id)
            clips.append({"clip_id": clip_id, **clip})
            origins.append((file.name, line))
        return SplitRows(
            pa.Table.from_pylist(clips, schema=CLIPS), pa.Table.from_pylist(rejects.rows, schema=REJECTS), origins
        )

    def _clip(self, row: dict[str, Any]) -> dict[str, Any]:
        start, stop = _seconds(row, "start_s") or 0.0, _seconds(row, "stop_s")
        if start < 0:
            raise _Reject("bad_time", f"start_s {start} is before the start of the video")
        if stop is not None and stop <= start:
            raise _Reject("not_positive_duration", f"starts at {start} s, stops at {stop} s")
        video_id = self._video_id(row)
        clip: dict[str, Any] = {
            "video_id": video_id,
            "recording_id": video_id,
            "start_s": start,
            "stop_s": stop,
            "narration": _text(row.get("narration")),
            "participant_id": _text(row.get("participant_id")),
        }
        for label in LABELS:
            name = _text(row.get(label))
            if name is not None and name not in self._ids[label]:
                raise _Reject("unknown_class", f"{label} {name!r} is not in {self._class_files[label].name}")
            clip[label] = name
            clip[f"{label}_class"] = None if name is None else self._ids[label][name]
        clip["all_noun_classes"] = None if clip["noun"] is None else [clip["noun_class"]]
        return clip

    def _video_id(self, row: dict[str, Any]) -> str:
        video = _text(row.get("video"))
        if video is None:
            raise _Reject("missing_value", "the cell of column video is empty")
        path = Path(video)
        if path.is_absolute() and "\x00" not in video:
            below = [root for root in self._roots if path.resolve().is_relative_to(root)]
            if below:
                return path.resolve().relative_to(below[0]).as_posix()
        if not is_safe_relative(video):
            raise _Reject("unsafe_path", f"{video!r} does not stay below a video root (--videos)")
        return Path(video).as_posix()

    def video_places(self, video_id: str) -> list[Place]:
        """The id is the path."""
        return [Place(video_id)]

    def video_facts(self, video_id: str) -> VideoFacts:
        """A table says nothing of its videos."""
        return VideoFacts()

    def downloader_list(self, video_ids: Sequence[str]) -> list[str]:
        """One path a line."""
        return list(video_ids)


def parse_files(items: Sequence[str]) -> list[tuple[Path, str | None]]:
    """'train=clips.csv' is a file whose rows are all of split train; 'clips.csv' has a column that says it.

    Raises:
        UsageError: the word before '=' is no split (a file name with '=' in it needs a split before it).
    """
    pairs: list[tuple[Path, str | None]] = []
    for item in items:
        split, equals, file = item.partition("=")
        pairs.append((Path(file), canonical_split(split)) if equals else (Path(item), None))
    return pairs


def parse_columns(items: Sequence[str]) -> dict[str, str]:
    """'video=path' says that our column ``video`` is called ``path`` in the table.

    Raises:
        UsageError: an item without '='.
    """
    pairs = {}
    for item in items:
        ours, equals, theirs = item.partition("=")
        if not equals or not theirs:
            raise UsageError(f"--column {item}: expected OURS=THEIRS, for instance video=path")
        pairs[ours] = theirs
    return pairs


class _Reject(Exception):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


def _open_table(file: Path) -> tuple[list[str], Iterator[_Row]]:
    kind = file.suffix.lower()
    if kind in (".csv", ".tsv"):
        reader = csv.DictReader(io.StringIO(_text_of(file), newline=""), delimiter="\t" if kind == ".tsv" else ",")
        try:
            rows = [(reader.line_num, row) for row in reader]
        except csv.Error as error:
            raise InputError(f"{file}, line {reader.line_num}: not a row of a table ({error})") from None
        return list(reader.fieldnames or []), iter(rows)
    if kind in (".parquet", ".pq"):
        try:
            table = pq.read_table(file)
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{file}: not a Parquet file ({error})") from None
        return table.column_names, iter(list(enumerate(table.to_pylist(), start=1)))
    if kind in (".jsonl", ".ndjson"):
        parsed = list(_json_lines(file))
        found = list(dict.fromkeys(name for _, row in parsed for name in row))
        return found, iter(parsed)
    raise InputError(f"{file}: tables end in .csv, .tsv, .parquet or .jsonl, not {kind or 'nothing'}.")


def _json_lines(file: Path) -> Iterator[_Row]:
    # Not splitlines(): a JSON string may hold other line separators (U+2028) as they are.
    for number, line in enumerate(_text_of(file).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"{file}, line {number}: not JSON ({error})") from None
        if not isinstance(row, dict):
            raise InputError(f"{file}, line {number}: found {type(row).__name__}, expected one JSON object a line.")
        yield number, row


def _text_of(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not a text file in UTF-8 ({error})") from None


def _read_names(file: Path) -> list[str]:
    if not file.is_file():
        raise InputError(f"{file}: no such class file; expected one class name a line.")
    names = [line.strip() for line in _text_of(file).splitlines() if line.strip()]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated or not names:
        what = f"class {repeated[0]!r} stands twice" if repeated else "no class name in it"
        raise InputError(f"{file}: {what}; expected one class name a line, each once.")
    return names


def _text(value: Any) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return str(value).strip() or None


def _seconds(row: dict[str, Any], column: str) -> float | None:
    text = _text(row.get(column))
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        raise _Reject("bad_time", f"{column} {text!r} is not a number of seconds") from None
    if not math.isfinite(value):
        raise _Reject("bad_time", f"{column} {text!r} is not a finite number of seconds")
    return value


def _made_id(clip: dict[str, Any], made: Counter[str]) -> str:
    stop = "end" if clip["stop_s"] is None else f"{clip['stop_s']:.3f}"
    name = f"{clip['video_id']}@{clip['start_s']:.3f}-{stop}"
    made[name] += 1
    return name if made[name] == 1 else f"{name}#{made[name]}"
