"""Arrow schemas of the manifest: clips, videos, rejected rows and classes."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa

from data_manifests.errors import UsageError

Label = Literal["noun", "verb"]
LABELS: tuple[Label, Label] = ("noun", "verb")
SPLITS = ("train", "val", "test")

CLIPS = pa.schema(
    [
        ("clip_id", pa.string()),
        ("video_id", pa.string()),
        ("start_s", pa.float64()),
        ("stop_s", pa.float64()),
        ("start_frame", pa.int32()),
        ("stop_frame", pa.int32()),
        ("noun_class", pa.int32()),
        ("verb_class", pa.int32()),
        ("all_noun_classes", pa.list_(pa.int32())),
        ("noun", pa.string()),
        ("verb", pa.string()),
        ("narration", pa.string()),
        ("participant_id", pa.string()),
        ("recording_id", pa.string()),
    ]
)
"""One clip: an annotated interval of a video.

``start_s``/``stop_s`` are seconds of the video (``stop_s`` null = to its end).
``start_frame``/``stop_frame`` are set only where the annotation numbers extracted JPEG frames, null elsewhere.
``noun_class``/``verb_class`` index the class lists, null where the row has no label. ``noun``/``verb``
are the words as annotated, which need not be class names. ``recording_id`` is the uninterrupted recording
the clip was cut from (EPIC-KITCHENS ``video_id``, Ego4D ``video_uid``, EGTEA session). Clips of one recording
are not independent.
"""

VIDEOS = pa.schema(
    [
        ("video_id", pa.string()),
        ("path", pa.string()),
        ("kind", pa.string()),
        ("offset_s", pa.float64()),
        ("clips", pa.int32()),
        ("duration_s", pa.float64()),
        ("fps", pa.float64()),
        ("jpeg_rate", pa.float64()),
    ]
)
"""One video.

``path`` is relative to a video root ('/' separators), null when no root has the video. ``kind`` is its form on disk
(:data:`data_manifests.videos.Kind`). ``offset_s`` is the second of the file at which the video begins.
``duration_s`` and ``fps`` are as annotated (not probed). ``jpeg_rate`` is the number of extracted JPEGs per second
by which the annotation counts. The last three are null when they are not annotated."""

REJECTS = pa.schema(
    [
        ("file", pa.string()),
        ("row", pa.int64()),
        ("clip_id", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)
"""One row of an annotation file that is no clip.

``row`` is the line number in ``file`` (1 = first line), in a JSON file the number of the entry in its list
(1 = first)."""

CLASSES = pa.schema(
    [
        ("class_id", pa.int32()),
        ("key", pa.string()),
        ("name", pa.string()),
        ("fixed", pa.string()),
        ("synonyms", pa.list_(pa.string())),
    ]
)
"""One class: ``key`` is the class as the dataset writes it, ``name`` the text that the official X-MIC code makes of
it. ``fixed`` is that text with its errors corrected; ``synonyms`` are all texts of the class, ``fixed`` first."""

REJECT_REASONS = {
    "not_positive_duration": "stop is not after start",
    "bad_time": "a time that is not a time",
    "unknown_class": "a class id or name that the class list does not have",
    "duplicate_id": "a clip id that an earlier row already has",
    "unsafe_path": "a video id or path that would leave the video roots",
    "bad_cell": "a value of a kind that the column does not take",
    "missing_value": "a required cell is empty",
    "duplicate_row": "the same clip and labels as an earlier row",
    "redacted": "the dataset shows no picture there",
}
"""Reason why a row is rejected → its explanation."""


def canonical_split(name: str) -> str:
    """Return the name of a split: 'train', 'val' or 'test'.

    'validation' is an alias of 'val'; case and blanks around the name do not matter.

    Raises:
        UsageError: any other name.
    """
    split = {"validation": "val"}.get(name.strip().lower(), name.strip().lower())
    if split not in SPLITS:
        raise UsageError(f"split {name!r}: expected train, val (or validation) or test")
    return split
