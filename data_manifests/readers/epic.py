"""EPIC-KITCHENS-100: the official csv files of epic-kitchens-100-annotations, untouched."""

from __future__ import annotations

import ast
import csv
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from data_manifests.classes import epic_name
from data_manifests.errors import InputError
from data_manifests.readers import RejectRows, SplitRows, VideoFacts
from data_manifests.schema import CLASSES, CLIPS, LABELS, REJECTS, Label

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
_VIDEO_ID = re.compile(r"P\d{2}_\d{2,3}")
_INT32_MAX = 2**31 - 1
_TIMESTAMP = re.compile(r"(\d{1,2}):([0-5]\d):([0-5]\d(?:\.\d+)?)")


class EpicReader:
    """Reads ``EPIC_100_{train,validation,test_timestamps}.csv`` and the two class files.

    Labels are ``verb_class``/``noun_class``; the columns ``verb``/``noun`` hold raw words. Times come
    from the timestamps: ``start_frame``/``stop_frame`` number the released JPEG frames (60 or 50 a
    second), not the frames of the MP4 files.

    Args:
        annotations: the folder with the csv files.

    Raises:
        InputError: the folder or a class file is missing.
    """

    name = "epic"

    def __init__(self, annotations: Path) -> None:
        if not annotations.is_dir():
            raise InputError(f"--annotations {annotations}: no such folder. It is the clone or download of "
                             "epic-kitchens-100-annotations, with EPIC_100_validation.csv in it.")  # fmt: skip
        self._folder = annotations
        self.parameters: Mapping[str, Any] = {"reader": self.name, "names": "official"}

    def splits(self) -> list[str]:
        """The splits whose csv file is in the folder."""
        return [split for split, name in _SPLIT_FILES.items() if (self._folder / name).is_file()]

    def files(self, split: str) -> list[Path]:
        """The split's csv and the two class csv files."""
        file = self._folder / _SPLIT_FILES[split]
        if not file.is_file():
            there = ", ".join(self.splits()) or "none"
            raise InputError(f"{file}: not found. Splits with a file in this folder: {there}.")
        return [file, *(self._class_file(label) for label in LABELS)]

    def _class_file(self, label: Label) -> Path:
        file = self._folder / f"EPIC_100_{label}_classes.csv"
        if not file.is_file():
            raise InputError(
                f"{file}: not found. It comes with epic-kitchens-100-annotations "
                "(the _v2 file is another list, of 305 nouns, and can not take its place)."
            )
        return file

    def classes(self) -> dict[Label, pa.Table]:
        """The class lists, names by :func:`data_manifests.classes.epic_name`."""
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
            if row["id"] != str(len(rows)) or not words:
                raise InputError(
                    f"{file}, line {line}: id {row['id']!r} with instances {(row['instances'] or '')[:40]!r}; "
                    f"expected id {len(rows)} (ids count from 0 without a gap) and a list of words."
                )
            name = epic_name(row["key"])
            rows.append({"class_id": len(rows), "key": row["key"], "name": name, "instances": instances})
        if not rows:
            raise InputError(f"{file}: no class in it; expected rows of id,key,instances,category.")
        return pa.Table.from_pylist(rows, schema=CLASSES)

    def read(self, split: str) -> SplitRows:
        """Every row of the split's csv as a clip or a reject.

        Raises:
            InputError: columns are missing.
        """
        file = self.files(split)[0]
        labelled = split != "test"
        counts = {label: self._classes[label].num_rows for label in LABELS}
        clips: list[dict[str, Any]] = []
        rejects = RejectRows()
        seen: set[str] = set()
        for line, row in _csv_rows(file, _TIMESTAMP_COLUMNS + (_LABEL_COLUMNS if labelled else [])):
            problem = _problem(row, counts if labelled else {}, seen)
            if problem:
                rejects.add(file, line, row["narration_id"], *problem)
                continue
            seen.add(row["narration_id"])
            clips.append(_clip(row, labelled))
        return SplitRows(pa.Table.from_pylist(clips, schema=CLIPS), pa.Table.from_pylist(rejects.rows, schema=REJECTS))

    def video_candidates(self, video_id: str) -> list[str]:
        """The trees that the official downloader, the 2018 release and common resized copies leave."""
        person = video_id.split("_")[0]
        folders = [
            f"{person}/videos",
            f"EPIC-KITCHENS/{person}/videos",
            f"videos/train/{person}",
            f"videos/test/{person}",
            f"EPIC-KITCHENS/videos/train/{person}",
            f"EPIC-KITCHENS/videos/test/{person}",
            person,
            f"videos/{person}",
            "videos",
            ".",
        ]
        return [f"{folder}/{video_id}{ending}".removeprefix("./") for folder in folders for ending in (".MP4", ".mp4")]

    def video_facts(self) -> Mapping[str, VideoFacts]:
        """Duration and frame rate from ``EPIC_100_video_info.csv`` where that file is there."""
        file = self._folder / "EPIC_100_video_info.csv"
        if not file.is_file():
            return {}
        facts = {}
        for line, row in _csv_rows(file, ["video_id", "duration", "fps"]):
            try:
                facts[row["video_id"]] = VideoFacts(float(row["duration"]), float(row["fps"]))
            except (TypeError, ValueError):
                raise InputError(
                    f"{file}, line {line}: duration {row['duration']!r}, fps {row['fps']!r}; expected two numbers."
                ) from None
        return facts


def _csv_rows(file: Path, expected: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row with its line number, after a check of the columns."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            found = reader.fieldnames or []
            missing = [name for name in expected if name not in found]
            if missing:
                raise InputError(
                    f"{file}, line 1: the columns {', '.join(missing)} are missing; "
                    f"found {', '.join(found) or 'nothing'}."
                )
            for row in reader:
                yield reader.line_num, row
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file}: not a csv file in UTF-8 ({error})") from None


def _literal_list(text: str) -> list[Any] | None:
    try:
        value = ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, list) else None


def seconds(timestamp: str) -> float | None:
    """'HH:MM:SS.cc' in seconds; None when it is not of that form."""
    match = _TIMESTAMP.fullmatch(timestamp.strip())
    if not match:
        return None
    hours, minutes, rest = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


def _problem(row: dict[str, str], class_counts: Mapping[Label, int], seen: set[str]) -> tuple[str, str] | None:
    if not row["narration_id"]:
        return "missing_value", "narration_id is empty"
    if row["narration_id"] in seen:
        return "duplicate_id", f"narration_id {row['narration_id']} stands on an earlier line"
    if not _VIDEO_ID.fullmatch(row["video_id"] or ""):
        return "unsafe_path", f"video_id {row['video_id']!r} is not of the form P01_01 or P01_101"
    start, stop = seconds(row["start_timestamp"] or ""), seconds(row["stop_timestamp"] or "")
    if start is None or stop is None:
        return "bad_time", f"{row['start_timestamp']!r} to {row['stop_timestamp']!r}, expected HH:MM:SS.cc"
    if stop <= start:
        return "not_positive_duration", f"starts at {start} s, stops at {stop} s"
    for frame in ("start_frame", "stop_frame"):
        if not (row[frame] or "").isdecimal() or int(row[frame]) > _INT32_MAX:
            return "bad_time", f"{frame} {row[frame]!r} is not a frame number"
    for label, count in class_counts.items():
        value = row[f"{label}_class"] or ""
        if not value.isdecimal() or int(value) >= count:
            return "unknown_class", f"{label}_class {value!r}, expected 0 to {count - 1}"
    if class_counts:
        nouns = _literal_list(row["all_noun_classes"] or "")
        if nouns is None or not all(type(n) is int and 0 <= n < class_counts["noun"] for n in nouns):
            return (
                "unknown_class",
                f"all_noun_classes {row['all_noun_classes']!r}, expected a list of noun ids",
            )
    return None


def _clip(row: dict[str, str], labelled: bool) -> dict[str, Any]:
    clip: dict[str, Any] = {
        "clip_id": row["narration_id"],
        "video_id": row["video_id"],
        "participant_id": row["participant_id"],
        "start_s": seconds(row["start_timestamp"]),
        "stop_s": seconds(row["stop_timestamp"]),
        "start_frame": int(row["start_frame"]),
        "stop_frame": int(row["stop_frame"]),
    }
    if labelled:
        clip |= {
            "noun_class": int(row["noun_class"]),
            "verb_class": int(row["verb_class"]),
            "all_noun_classes": _literal_list(row["all_noun_classes"]),
            "noun": row["noun"],
            "verb": row["verb"],
            "narration": row["narration"],
        }
    return clip
