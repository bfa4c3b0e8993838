"""Read EPIC-KITCHENS-100: the csv files of epic-kitchens-100-annotations, unchanged."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from data_manifests.classes import class_row, class_table, epic_fixed_name, epic_name
from data_manifests.errors import InputError
from data_manifests.readers import Reject, RejectRows, SplitFiles, SplitRows, VideoFacts
from data_manifests.readers.csv_files import ends_with_line, read_csv
from data_manifests.readers.table_cells import whole_number_name
from data_manifests.schema import CLIPS, LABELS, REJECTS, Label
from data_manifests.videos import Place, check_patterns

_SPLIT_FILES = {
    "train": "EPIC_100_train.csv",
    "val": "EPIC_100_validation.csv",
    "test": "EPIC_100_test_timestamps.csv",
}
_TIMESTAMP_COLUMNS = [
    "narration_id",
    "participant_id",
    "video_id",
    "narration_timestamp",
    "start_timestamp",
    "stop_timestamp",
    "start_frame",
    "stop_frame",
]
_LABEL_COLUMNS = ["narration", "verb", "verb_class", "noun", "noun_class", "all_nouns", "all_noun_classes"]
_WRONG_CLASSES, _A_FEW = 0.1, 10
_VISOR_NOUNS = ["hand:left", "hand:right", "foot", "glove:left", "glove:right"]
_VIDEO_ID = re.compile(r"P\d{2}_\d{2,3}")
_ONE_NUMBER = re.compile(r"\[(?:0|[1-9][0-9]{0,8})\]")
_INT32_MAX = 2**31 - 1
_SURROGATE = re.compile("[\ud800-\udfff]")
_TIMESTAMP = re.compile(r"(\d{1,2}):([0-5]\d):([0-5]\d(?:\.\d+)?)")


_VIDEO_PATTERNS = (
    "{participant_id}/videos/{video_id}.mp4",
    "EPIC-KITCHENS/{participant_id}/videos/{video_id}.mp4",
    "epic_kitchens_videos_256ss/{participant_id}/videos/{video_id}.mp4",
    "video_ht256px/{participant_id}/{video_id}.mp4",
    "videos/train/{participant_id}/{video_id}.mp4",
    "videos/test/{participant_id}/{video_id}.mp4",
    "EPIC-KITCHENS/videos/train/{participant_id}/{video_id}.mp4",
    "EPIC-KITCHENS/videos/test/{participant_id}/{video_id}.mp4",
    "{participant_id}/{video_id}.mp4",
    "videos/{participant_id}/{video_id}.mp4",
    "videos/{video_id}.mp4",
    "{video_id}.mp4",
)
_FRAME_FOLDERS = (
    "{participant_id}/rgb_frames",
    "EPIC-KITCHENS/{participant_id}/rgb_frames",
    "frames_rgb_flow/rgb/train/{participant_id}",
    "frames_rgb_flow/rgb/test/{participant_id}",
    "rgb_frames/{participant_id}",
    "rgb_frames",
)
PATTERNS = (
    *_VIDEO_PATTERNS,
    *(f"{folder}/{{video_id}}" for folder in _FRAME_FOLDERS),
    *(f"{folder}/{{video_id}}.tar" for folder in _FRAME_FOLDERS),
)
"""Paths of videos in the official download, the 2018 release, Academic Torrents and common resized copies.

A video is a file or a folder of chunks of that name, else its untarred frames, else the tar of its frames."""


class EpicReader:
    """Reader of ``EPIC_100_{train,validation,test_timestamps}.csv`` and the two class files.

    Labels are ``verb_class``/``noun_class``; the columns ``verb``/``noun`` hold raw words. Times are read from the
    timestamps. ``start_frame``/``stop_frame`` number the released JPEG frames, not the frames of the MP4 files. The
    JPEG frames are 60 per second in the videos of 2018 and 50 per second in those of 2020.

    Args:
        annotations: the folder with the csv files.
        patterns: where videos lie below a root, with ``{participant_id}`` and ``{video_id}``; :data:`PATTERNS`
            when there are none.

    Raises:
        InputError: the folder is missing.
        UsageError: a pattern is wrong.
    """

    name = "epic"

    def __init__(self, annotations: Path, patterns: Sequence[str] = ()) -> None:
        if not annotations.is_dir():
            raise InputError(f"--annotations {annotations}: no such folder. It is the clone or download of "
                             "epic-kitchens-100-annotations, with EPIC_100_validation.csv in it.")  # fmt: skip
        self._folder = annotations
        self._split_files = SplitFiles(annotations, _SPLIT_FILES)
        self._patterns = check_patterns(patterns, ("participant_id", "video_id")) or PATTERNS
        self.parameters: Mapping[str, Any] = {"reader": self.name}

    def splits(self) -> list[str]:
        """List the splits whose csv file is in the folder."""
        return self._split_files.there()

    def files(self, split: str) -> list[Path]:
        """List the split's csv and the two class csv files."""
        return [self._split_files.of(split), *(self._class_file(label) for label in LABELS)]

    def _class_file(self, label: Label) -> Path:
        file = self._folder / f"EPIC_100_{label}_classes.csv"
        if not file.is_file():
            raise InputError(
                f"{file}: not found. It comes with epic-kitchens-100-annotations. The file of that name ending in _v2 "
                "cannot take its place: it is the list of 305 nouns of VISOR, the other annotations use 300."
            )
        return file

    def classes(self) -> dict[Label, pa.Table]:
        """Return the class lists of nouns and verbs.

        The names are made by :func:`data_manifests.classes.epic_name`.
        """
        return {label: self._classes[label] for label in LABELS}

    @cached_property
    def _classes(self) -> dict[Label, pa.Table]:
        return {label: self._read_classes(label) for label in LABELS}

    def _read_classes(self, label: Label) -> pa.Table:
        file = self._class_file(label)
        rows: list[dict[str, Any]] = []
        for line, row in _csv_rows(file, ["id", "key", "instances"]):
            instances = _literal_list(row["instances"] or "")
            words = instances is not None and all(isinstance(word, str) for word in instances)
            if whole_number_name(row["id"]) != str(len(rows)) or not words:
                raise InputError(
                    f"{file}, line {line}: id {row['id']!r} with instances {(row['instances'] or '')[:40]!r}; "
                    f"expected id {len(rows)} (ids count from 0 without a gap) and a list of words."
                )
            key, texts = row["key"], [epic_name(word) for word in instances or []]
            rows.append(class_row(len(rows), key, epic_name(key), epic_fixed_name(key), texts))
        if not rows:
            raise InputError(f"{file}: no class in it; expected rows of id,key,instances,category.")
        if label == "noun" and [row["key"] for row in rows[300:]] == _VISOR_NOUNS:
            raise InputError(
                f"{file}: 305 classes, the last {', '.join(_VISOR_NOUNS)}: this is EPIC_100_noun_classes_v2.csv, the "
                "list of VISOR, under another name. The action annotations use EPIC_100_noun_classes.csv with 300."
            )
        return class_table(rows)

    def read(self, split: str) -> SplitRows:
        """Read each row of the split's csv as clip or reject.

        Raises:
            InputError: columns are missing, or the class files do not match the rows.
        """
        file = self.files(split)[0]
        labelled = split != "test"
        counts = {label: self._classes[label].num_rows for label in LABELS}
        columns: dict[str, list[Any]] = {name: [] for name in CLIPS.names}
        origins: list[tuple[str, int]] = []
        rejects = RejectRows()
        seen: set[str] = set()
        beyond: dict[Label, list[tuple[int, str]]] = {label: [] for label in LABELS}
        for line, row in _csv_rows(file, _TIMESTAMP_COLUMNS + (_LABEL_COLUMNS if labelled else [])):
            try:
                clip = _clip(row, counts if labelled else {}, seen)
            except Reject as reject:
                rejects.add(file, line, row["narration_id"], reject.reason, reject.detail)
                if reject.reason == "unknown_class":
                    _note_beyond(row, counts, line, beyond)
                continue
            seen.add(row["narration_id"])
            origins.append((file.name, line))
            for name, values in columns.items():
                values.append(clip.get(name))
        if labelled:
            self._refuse_other_classes(file, columns, origins, beyond)
        clips, rejected = pa.table(columns, schema=CLIPS), pa.Table.from_pylist(rejects.rows, schema=REJECTS)
        return SplitRows(clips, rejected, origins, _unended(file))

    def _refuse_other_classes(
        self,
        file: Path,
        columns: Mapping[str, list[Any]],
        origins: Sequence[tuple[str, int]],
        beyond: Mapping[Label, list[tuple[int, str]]],
    ) -> None:
        """Refuse class files that do not match the annotated rows.

        A class file that was cut off lacks the ids of many rows. A class file of something else lacks their words.
        """
        for label, lacking in beyond.items():
            table = self._classes[label]
            few = max(_A_FEW, _WRONG_CLASSES * (len(origins) + len(lacking)))
            if len(lacking) > few:
                line, found = lacking[0]
                raise InputError(
                    f"{self._class_file(label)}: {table.num_rows} classes, but {len(lacking)} rows of {file.name} have "
                    f"others, the first is line {line}: {label}_class {found}, expected 0 to {table.num_rows - 1}. The "
                    "class file is cut off or of something else; take both files from epic-kitchens-100-annotations."
                )
            words = _words(table)
            ids, used = columns[f"{label}_class"], columns[label]
            pairs = Counter(zip(ids, used, strict=True))
            foreign = {pair: count for pair, count in pairs.items() if epic_name(pair[1]) not in words[pair[0]]}
            if sum(foreign.values()) > few:
                at = next(at for at, pair in enumerate(zip(ids, used, strict=True)) if pair in foreign)
                raise InputError(
                    f"{file}, line {origins[at][1]}: {label} {used[at]!r} of {label}_class {ids[at]}, expected "
                    f"{_some(words[ids[at]])}, the words of that class in {self._class_file(label).name}; so in "
                    f"{sum(foreign.values())} rows. The class file is another one; take both from "
                    "epic-kitchens-100-annotations."
                )

    def video_places(self, video_id: str) -> list[Place]:
        """List the places of a video, by :data:`PATTERNS`.

        Patterns that were given to the reader replace :data:`PATTERNS`.
        """
        names = {"participant_id": video_id.split("_")[0], "video_id": video_id}
        return [Place(pattern.format(**names)) for pattern in self._patterns]

    def video_facts(self, video_id: str) -> VideoFacts:
        """Return the duration, frame rate and JPEG rate of a video.

        Duration and frame rate are read from ``EPIC_100_video_info.csv`` and are None where that file does not list the
        video or does not exist. The JPEG rate is that of :func:`jpeg_rate`.
        """
        duration, fps = self._video_info.get(video_id, (None, None))
        return VideoFacts(duration, fps, jpeg_rate(video_id))

    @cached_property
    def _video_info(self) -> dict[str, tuple[float, float]]:
        file = self._folder / "EPIC_100_video_info.csv"
        if not file.is_file():
            return {}
        info = {}
        for line, row in _csv_rows(file, ["video_id", "duration", "fps"]):
            try:
                info[row["video_id"]] = float(row["duration"]), float(row["fps"])
            except (TypeError, ValueError):
                raise InputError(
                    f"{file}, line {line}: duration {row['duration']!r}, fps {row['fps']!r}; expected two numbers."
                ) from None
        return info

    def downloader_list(self, video_ids: Sequence[str]) -> list[str]:
        """List video ids as epic_downloader.py reads them.

        The list is one line of ids with commas between them.
        """
        return [",".join(video_ids)] if video_ids else []


def jpeg_rate(video_id: str) -> float:
    """Return the rate of a video's released JPEGs, in frames per second.

    The annotations number these JPEGs. The rate is 50 for the videos of 2020, whose number has three digits (P01_101),
    and 60 for the others.
    """
    return 50.0 if len(video_id.partition("_")[2]) == 3 else 60.0


def _csv_rows(file: Path, expected: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Read each row with its line number, after checking the columns."""
    rows = read_csv(file)
    first, found = next(rows, (1, []))
    missing = [name for name in expected if name not in found]
    if missing:
        raise InputError(
            f"{file}, line {first}: the columns {', '.join(missing)} are missing; "
            f"found {', '.join(found) or 'nothing'}."
        )
    for line, cells in rows:
        yield line, dict(zip(found, cells, strict=True))


def _unended(file: Path) -> list[str]:
    if ends_with_line(file):
        return []
    return [f"{file.name}: its last line has no line end, as the released file has; it may be cut off there"]


def _literal_list(text: str) -> list[Any] | None:
    if _ONE_NUMBER.fullmatch(text):  # nearly every row; literal_eval takes ten times as long
        return [int(text[1:-1])]
    try:
        value = ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    if not isinstance(value, list) or any(isinstance(word, str) and _SURROGATE.search(word) for word in value):
        return None
    return value


def seconds(timestamp: str) -> float | None:
    """Convert a timestamp 'HH:MM:SS.cc' to seconds.

    The result is None when the timestamp is not of that form.
    """
    match = _TIMESTAMP.fullmatch(timestamp.strip())
    if not match:
        return None
    hours, minutes, rest = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


def _clip(row: dict[str, str], class_counts: Mapping[Label, int], seen: set[str]) -> dict[str, Any]:
    """Read a row as a clip; without ``class_counts`` it has no labels."""
    if not row["narration_id"]:
        raise Reject("missing_value", "narration_id is empty")
    if row["narration_id"] in seen:
        raise Reject("duplicate_id", f"narration_id {row['narration_id']} is on an earlier line")
    if not _VIDEO_ID.fullmatch(row["video_id"] or ""):
        raise Reject("unsafe_path", f"video_id {row['video_id']!r} is not of the form P01_01 or P01_101")
    start, stop = seconds(row["start_timestamp"] or ""), seconds(row["stop_timestamp"] or "")
    if start is None or stop is None:
        text = f"{row['start_timestamp']!r} to {row['stop_timestamp']!r}, expected HH:MM:SS.cc"
        raise Reject("bad_time", text)
    if stop <= start:
        raise Reject("not_positive_duration", f"starts at {start} s, stops at {stop} s")
    clip: dict[str, Any] = {
        "clip_id": row["narration_id"],
        "video_id": row["video_id"],
        "participant_id": row["participant_id"],
        "recording_id": row["video_id"],
        "start_s": start,
        "stop_s": stop,
    }
    for frame in ("start_frame", "stop_frame"):
        clip[frame] = _whole_number(row[frame], _INT32_MAX + 1)
        if clip[frame] is None:
            raise Reject("bad_time", f"{frame} {row[frame]!r} is not a frame number")
    if not class_counts:
        return clip
    for label, count in class_counts.items():
        clip[f"{label}_class"] = _whole_number(row[f"{label}_class"], count)
        if clip[f"{label}_class"] is None:
            raise Reject("unknown_class", f"{label}_class {row[f'{label}_class'] or ''!r}, expected 0 to {count - 1}")
    nouns = _literal_list(row["all_noun_classes"] or "")
    if nouns is None or not all(type(n) is int and 0 <= n < class_counts["noun"] for n in nouns):
        raise Reject("unknown_class", f"all_noun_classes {row['all_noun_classes']!r}, expected a list of noun ids")
    words = {name: row[name] for name in ("noun", "verb", "narration")}
    return clip | {"all_noun_classes": nouns} | words


def _note_beyond(
    row: Mapping[str, str], counts: Mapping[Label, int], line: int, beyond: Mapping[Label, list[tuple[int, str]]]
) -> None:
    """Record a rejected row whose class id lies beyond the class list."""
    for label, count in counts.items():
        found = _whole_number(row[f"{label}_class"], _INT32_MAX)
        if found is not None and found >= count:
            beyond[label].append((line, row[f"{label}_class"]))


def _words(classes: pa.Table) -> list[set[str]]:
    return [{row["name"], row["fixed"], *row["synonyms"]} for row in classes.to_pylist()]


def _some(words: Collection[str]) -> str:
    return ", ".join(repr(word) for word in sorted(words)[:5]) + " …" * (len(words) > 5)


def _whole_number(text: str | None, limit: int) -> int | None:
    """Parse a whole number from 0 to ``limit`` − 1, else None; pandas may have made it a float."""
    text = whole_number_name(text) if text and "." in text else text
    # int() itself refuses numbers of thousands of digits, so their length is looked at first.
    good = text and text.isascii() and text.isdecimal() and len(text) <= 20 and int(text) < limit
    return int(text) if text and good else None
