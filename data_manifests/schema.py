"""The manifest: what a clip, a video, a rejected row and a class are, as Arrow schemas."""

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
    ]
)
"""One clip: an annotated interval of a video.

``start_s``/``stop_s`` in seconds of the video file (``stop_s`` null = to the end of the file);
``start_frame``/``stop_frame`` only where the annotation numbers extracted JPEG frames, null elsewhere;
``noun_class``/``verb_class`` index the class lists, null where the row has no label; ``noun``/``verb``
are the words as annotated, which need not be class names.
"""

VIDEOS = pa.schema(
    [
        ("video_id", pa.string()),
        ("path", pa.string()),
        ("clips", pa.int32()),
        ("duration_s", pa.float64()),
        ("fps", pa.float64()),
    ]
)
"""One video: ``path`` relative to a video root ('/' separators), null when no root has it;
``duration_s`` and ``fps`` as the annotation says (not probed), null when it does not."""

REJECTS = pa.schema(
    [
        ("file", pa.string()),
        ("row", pa.int64()),
        ("clip_id", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)
"""One row of an annotation file that is no clip: ``row`` is the line number in ``file`` (1 = first line)."""

CLASSES = pa.schema(
    [
        ("class_id", pa.int32()),
        ("key", pa.string()),
        ("name", pa.string()),
        ("instances", pa.list_(pa.string())),
    ]
)
"""One class: ``key`` as the dataset writes it, ``name`` the text an encoder reads, ``instances`` the
raw words that belong to it."""

REJECT_REASONS = {
    "not_positive_duration": "stop is not after start",
    "bad_time": "a time that is not a time",
    "unknown_class": "a class id or name that the class list does not have",
    "duplicate_id": "a clip id that an earlier row already has",
    "unsafe_path": "a video id or path that would leave the video roots",
    "missing_value": "a required cell is empty",
}
"""Every reason a row may be rejected for, in words."""


def canonical_split(name: str) -> str:
    """'train', 'val' or 'test'; 'validation' is an alias of 'val'.

    Raises:
        UsageError: any other name.
    """
    split = {"validation": "val"}.get(name.strip().lower(), name.strip().lower())
    if split not in SPLITS:
        raise UsageError(f"split {name!r}: expected train, val (or validation) or test")
    return split
