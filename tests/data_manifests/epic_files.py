"""Writes small annotation folders in the grammar of epic-kitchens-100-annotations, with rows of our own."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

TIME_COLUMNS = [
    "narration_id",
    "participant_id",
    "video_id",
    "narration_timestamp",
    "start_timestamp",
    "stop_timestamp",
    "start_frame",
    "stop_frame",
]
COLUMNS = [*TIME_COLUMNS, "narration", "verb", "verb_class", "noun", "noun_class", "all_nouns", "all_noun_classes"]
FILES = {
    "train": "EPIC_100_train.csv",
    "val": "EPIC_100_validation.csv",
    "test": "EPIC_100_test_timestamps.csv",
}
NOUNS = [
    ("ladle", "['ladle', 'ladle:soup', \"cook's ladle\"]"),
    ("board:bread", "['board:bread']"),
    ("press:pasta:hand", "['press:pasta:hand', 'press']"),
]
VERBS = [("stir", "['stir', 'stir-around']"), ("fold-in", "['fold-in']")]


def row(narration_id: str = "P90_01_0", **changes: str) -> dict[str, str]:
    """One row of the action csv: its video and participant follow from the id."""
    video_id = narration_id.rpartition("_")[0]
    cells = {
        "narration_id": narration_id,
        "participant_id": video_id.partition("_")[0],
        "video_id": video_id,
        "narration_timestamp": "00:00:01.250",
        "start_timestamp": "00:00:01.50",
        "stop_timestamp": "00:00:03.25",
        "start_frame": "90",
        "stop_frame": "195",
        "narration": "stir with ladle",
        "verb": "stir",
        "verb_class": "0",
        "noun": "ladle",
        "noun_class": "0",
        "all_nouns": "['ladle']",
        "all_noun_classes": "[0]",
    }
    return cells | changes


def write_rows(file: Path, rows: Sequence[dict[str, str]], columns: Sequence[str] = COLUMNS) -> Path:
    with file.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return file


def write_classes(file: Path, classes: Sequence[tuple[str, str]]) -> Path:
    """A class csv with CRLF line ends, as the official ones have."""
    with file.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines, lineterminator="\r\n")
        writer.writerow(["id", "key", "instances", "category"])
        writer.writerows([number, key, instances, "tools"] for number, (key, instances) in enumerate(classes))
    return file


def write_epic(
    folder: Path,
    splits: dict[str, Sequence[dict[str, str]]] | None = None,
    nouns: Sequence[tuple[str, str]] = NOUNS,
    verbs: Sequence[tuple[str, str]] = VERBS,
) -> Path:
    """An annotation folder: class files and the csv of each split ('test' without labels)."""
    folder.mkdir(parents=True, exist_ok=True)
    write_classes(folder / "EPIC_100_noun_classes.csv", nouns)
    write_classes(folder / "EPIC_100_verb_classes.csv", verbs)
    for split, rows in (splits if splits is not None else {"val": [row()]}).items():
        write_rows(folder / FILES[split], rows, TIME_COLUMNS if split == "test" else COLUMNS)
    return folder
