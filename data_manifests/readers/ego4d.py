"""Read Ego4D's official long-term-anticipation files, v1 or v2.

The files are those of the hands and objects benchmark (FHO), unchanged.
"""

from __future__ import annotations

import math
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from data_manifests.classes import class_row, class_table, ego4d_name, ego4d_synonyms
from data_manifests.errors import InputError, UsageError
from data_manifests.json_files import json_object
from data_manifests.readers import Reject, RejectRows, SplitFiles, SplitRows, VideoFacts
from data_manifests.redactions import Stretch, blank_seconds, read_redactions
from data_manifests.remote.path import RemotePath
from data_manifests.schema import CLIPS, LABELS, REJECTS, Label
from data_manifests.videos import Place, check_patterns

_SPLIT_FILES = {
    "train": "fho_lta_train.json",
    "val": "fho_lta_val.json",
    "test": "fho_lta_test_unannotated.json",
}
_STATED_SPLITS = {"train": ("train",), "val": ("val", "validation"), "test": ("test", "test_unannotated")}
_TIMES = ("clip_parent_start_sec", "clip_parent_end_sec", "action_clip_start_sec", "action_clip_end_sec")
_NEEDED = ("video_uid", "clip_uid", "action_idx", *_TIMES)
_NEEDED_LABELS = ("verb", "noun", "verb_label", "noun_label")
_UID = re.compile(r"[A-Za-z0-9_-]+")
_FPS = 30.0
_EQUAL_S = 1e-6  # the annotated seconds carry the noise of float sums: 8 s may read 8.000000000000002
_WRONG_CLASSES = 0.1
_NOT_SERVED = ("440656ae-cb82-464e-b320-25c8e693ad84", "814baefc-d043-40f8-bb52-3573266f613f")

_CLIP_FOLDERS = ("clips", "clips_540ss", "clips_256ss", "clips_320p")
_VIDEO_FOLDERS = ("full_scale", "video_540ss", "video_288px", "video_256ss")
_VERSIONS = ("", "v2/", "v1/")
PATTERNS = (
    *(f"{version}{folder}/{{clip_uid}}.mp4" for folder in _CLIP_FOLDERS for version in _VERSIONS),
    "{clip_uid}.mp4",
    *(f"{version}{folder}/{{video_uid}}.mp4" for folder in _VIDEO_FOLDERS for version in _VERSIONS),
    "{video_uid}.mp4",
)
"""Paths at which the official downloader and common resized copies put a clip, else the recording it was cut from (a
file, or a folder of chunks of that name)."""

WINDOWS_S: Mapping[str, float | None] = {"official": 4.0, "paper": None}
"""Preset → the central window in seconds (see :class:`Ego4dReader`)."""


@dataclass(frozen=True)
class _Parent:
    """Recording of a clip, with the clip's start and end in seconds."""

    video_uid: str
    start_s: float
    end_s: float

    def is_same(self, other: _Parent) -> bool:
        """Check that two parents differ by less than a frame."""
        frame = 1 / _FPS
        near = abs(self.start_s - other.start_s) < frame and abs(self.end_s - other.end_s) < frame
        return near and self.video_uid == other.video_uid

    def __str__(self) -> str:
        return f"{self.start_s} to {self.end_s} s of video {self.video_uid}"


class Ego4dReader:
    """Reader of ``fho_lta_{train,val,test_unannotated}.json`` and ``fho_lta_taxonomy.json``.

    An entry of ``clips`` is one annotated segment. Its video is the file named by ``clip_uid``, and its times are
    seconds of that file. Labels are ``verb_label``/``noun_label``, checked against the taxonomy of the same folder.
    ``start_frame``/``stop_frame`` stay empty: Ego4D numbers frames of the video, not extracted JPEGs.

    ``ego4d.json`` is read where it is in the folder or one of the two above it. Its ``redacted_intervals`` are seconds
    of the recording that were made blank. A clip wholly inside such an interval is rejected.

    Args:
        annotations: the folder with the json files.
        window_s: use this many central seconds of a segment, in every split. A shorter segment is used whole, as is
            every segment when None. Segments are 8 s long, shorter only at the ends of a file. The released X-MIC
            configuration (``EGO4D_CLIPS_LENGTH: 4``) uses 4 s, the paper states 8 s. Of a shorter segment the
            released code uses the central half; here the window has one length.
        patterns: where videos lie below a root, with ``{clip_uid}`` or ``{video_uid}``; :data:`PATTERNS` when there
            are none.

    Raises:
        InputError: the folder is missing.
        UsageError: the window or a pattern is wrong.
    """

    name = "ego4d"

    def __init__(self, annotations: Path, window_s: float | None = 4.0, patterns: Sequence[str] = ()) -> None:
        if not annotations.is_dir():
            raise InputError(f"--annotations {annotations}: no such folder. It is the folder v2/annotations of the "
                             "ego4d downloader, with fho_lta_val.json in it.")  # fmt: skip
        if window_s is not None and not (math.isfinite(window_s) and window_s > 0):
            raise UsageError(f"--window {window_s}: expected a positive number of seconds.")
        self._folder = annotations
        self._split_files = SplitFiles(annotations, _SPLIT_FILES)
        self._window_s = window_s
        self._patterns = check_patterns(patterns, ("clip_uid", "video_uid")) or PATTERNS
        self._parents: dict[str, _Parent] = {}
        self._read: set[str] = set()
        self.parameters: Mapping[str, Any] = {"reader": self.name, "window_s": window_s}

    def splits(self) -> list[str]:
        """List the splits whose json file is in the folder."""
        return self._split_files.there()

    def files(self, split: str) -> list[Path]:
        """List the split's json, the taxonomy and ego4d.json if it exists."""
        return [self._split_files.of(split), self._taxonomy_file(), *([self._metadata] if self._metadata else [])]

    def _taxonomy_file(self) -> Path:
        file = self._folder / "fho_lta_taxonomy.json"
        if not file.is_file():
            raise InputError(f"{file}: not found. It comes with the other files of --datasets annotations.")
        return file

    @cached_property
    def _metadata(self) -> Path | None:
        folder = self._folder.absolute()
        # Of a store nothing is asked for outside the folder that was named.
        above = () if isinstance(folder, RemotePath) else folder.parents[:2]
        files = [place / "ego4d.json" for place in (folder, *above)]
        return next((file for file in files if file.is_file()), None)

    def classes(self) -> dict[Label, pa.Table]:
        """Return the class lists of the taxonomy.

        The names are made by :func:`data_manifests.classes.ego4d_name`.
        """
        return {label: self._classes[label] for label in LABELS}

    @cached_property
    def _classes(self) -> dict[Label, pa.Table]:
        file = self._taxonomy_file()
        lists = json_object(file)
        return {label: _class_list(file, f"{label}s", lists.get(f"{label}s")) for label in LABELS}

    def read(self, split: str) -> SplitRows:
        """Read each entry of the split's json as clip or reject.

        Raises:
            InputError: a file is no JSON of the expected form or is of another split, or the labels were not made with
                this taxonomy.
        """
        file = self.files(split)[0]
        keys = {label: table.column("key").to_pylist() for label, table in self._classes.items()}
        entries = _entries(file, split)
        columns: dict[str, list[Any]] = {name: [] for name in CLIPS.names}
        origins: list[tuple[str, int]] = []
        rejects = RejectRows()
        seen: set[str] = set()
        counts: Counter[str] = Counter()
        for row, entry in enumerate(entries, start=1):
            try:
                clip = self._clip(entry, keys if split != "test" else {}, seen, counts)
            except Reject as reject:
                rejects.add(file, row, _clip_id(entry), reject.reason, reject.detail)
                continue
            seen.add(clip["clip_id"])
            origins.append((file.name, row))
            for name, values in columns.items():
                values.append(clip.get(name))
        self._refuse_other_taxonomy(file, len(entries), rejects)
        self._read.add(split)
        clips = pa.table(columns, schema=CLIPS)
        table = pa.Table.from_pylist(rejects.rows, schema=REJECTS)
        return SplitRows(clips, table, origins, self._findings(clips, counts))

    def _clip(
        self, entry: Any, class_keys: Mapping[Label, list[str]], seen: set[str], counts: Counter[str]
    ) -> dict[str, Any]:
        clip, parent = _segment(entry, class_keys)
        if clip["clip_id"] in seen:
            raise Reject("duplicate_id", f"clip_uid and action_idx {clip['clip_id']} are in an earlier entry")
        known = self._parents.setdefault(clip["video_id"], parent)
        if not parent.is_same(known):
            raise Reject("bad_time", f"the clip is {parent}, but by an earlier entry {known}")
        whole_s = clip["stop_s"] - clip["start_s"]
        if self._window_s is not None and whole_s > self._window_s + _EQUAL_S:
            clip["start_s"] += (whole_s - self._window_s) / 2
            clip["stop_s"] = clip["start_s"] + self._window_s
            counts["cut"] += 1
        stretches = self._redacted.get(parent.video_uid, ())
        blank_s = blank_seconds(stretches, parent.start_s + clip["start_s"], parent.start_s + clip["stop_s"])
        if blank_s > clip["stop_s"] - clip["start_s"] - _EQUAL_S:
            raise Reject("redacted", f"{clip['start_s']} to {clip['stop_s']} s of the clip are blank by ego4d.json")
        if blank_s > _EQUAL_S:
            counts["partly redacted"] += 1
        return clip

    @cached_property
    def _redacted(self) -> dict[str, list[Stretch]]:
        return read_redactions(self._metadata) if self._metadata else {}

    def _refuse_other_taxonomy(self, file: Path, entries: int, rejects: RejectRows) -> None:
        wrong = [row for row in rejects.rows if row["reason"] == "unknown_class"]
        if len(wrong) > _WRONG_CLASSES * entries:
            raise InputError(
                f"{file}: {len(wrong)} of {entries} entries do not agree with {self._taxonomy_file().name}, the first "
                f"is entry {wrong[0]['row']}: {wrong[0]['detail']}. The two files are of different versions of Ego4D; "
                "take both from one download."
            )

    def _findings(self, clips: pa.Table, counts: Counter[str]) -> list[str]:
        found = []
        if counts["cut"]:
            found.append(
                f"Segments longer than {self._window_s:g} s, of which the central {self._window_s:g} s are used: "
                f"{counts['cut']} of {clips.num_rows}."
            )
        used = Counter(clips.column("video_id").to_pylist())
        for clip_uid in _NOT_SERVED:
            if used[clip_uid]:
                found.append(
                    f"Segments of {clip_uid}, a clip that Ego4D does not serve (facebookresearch/Ego4d, issue 286); "
                    f"only the full-scale video has them: {used[clip_uid]}."
                )
        if counts["partly redacted"]:
            found.append(f"Segments that are blank in part by ego4d.json, kept: {counts['partly redacted']}.")
        if self._metadata is None:
            found.append("No ego4d.json in the annotation folder or the two above it: blank stretches are not known.")
        return found

    def video_places(self, video_id: str) -> list[Place]:
        """List the places of a clip or of its recording.

        The patterns are :data:`PATTERNS` unless the reader was given others. In a recording the clip begins at its
        ``clip_parent_start_sec``.
        """
        parent = self._parent(video_id)
        names = {"clip_uid": video_id, "video_uid": parent.video_uid if parent else ""}
        return [
            Place(pattern.format(**names), 0.0 if "{clip_uid}" in pattern or parent is None else parent.start_s)
            for pattern in self._patterns
            if parent or "{video_uid}" not in pattern
        ]

    def video_facts(self, video_id: str) -> VideoFacts:
        """Return the annotated length of a clip and 30 frames per second.

        All of Ego4D has 30 frames per second.
        """
        parent = self._parent(video_id)
        return VideoFacts(parent.end_s - parent.start_s if parent else None, _FPS)

    def _parent(self, clip_uid: str) -> _Parent | None:
        for split in self.splits():
            if clip_uid in self._parents:
                break
            if split not in self._read:
                self.read(split)
        return self._parents.get(clip_uid)

    def downloader_list(self, video_ids: Sequence[str]) -> list[str]:
        """List clip uids, one per line.

        ``ego4d --datasets clips --video_uid_file`` reads such a file.
        """
        return list(video_ids)


def window_of(preset: str | None, window_s: float | None) -> float | None:
    """Return the window in seconds of a preset or a number.

    The preset is 'official' when neither is given. None means that segments are used whole.


    """
    if window_s is not None:
        if preset is not None:
            raise UsageError(f"--preset {preset} --window {window_s}: expected one of the two")
        return window_s
    if preset is not None and preset not in WINDOWS_S:
        raise UsageError(f"--preset {preset}: expected {' or '.join(WINDOWS_S)}")
    return WINDOWS_S[preset or "official"]


def _segment(entry: Any, class_keys: Mapping[Label, list[str]]) -> tuple[dict[str, Any], _Parent]:
    """Read an entry as an uncut clip and its parent recording.

    Without ``class_keys`` the clip has no labels.
    """
    if not isinstance(entry, dict):
        raise Reject("missing_value", f"found {entry!r:.60}, expected an object")
    for name in (*_NEEDED, *(_NEEDED_LABELS if class_keys else ())):
        if entry.get(name) in (None, ""):
            raise Reject("missing_value", f"{name} is missing or empty")
    for name in ("clip_uid", "video_uid"):
        if not isinstance(entry[name], str) or not _UID.fullmatch(entry[name]):
            raise Reject("unsafe_path", f"{name} {entry[name]!r:.60}, expected letters, digits, '-' and '_' only")
    if type(entry["action_idx"]) is not int:
        raise Reject("missing_value", f"action_idx {entry['action_idx']!r:.60} is not a whole number")
    parent_start, parent_end, start, stop = (_seconds(entry, name) for name in _TIMES)
    if parent_end <= parent_start:
        raise Reject("bad_time", f"the clip starts at {parent_start} s of its video and ends at {parent_end} s")
    if stop <= start:
        raise Reject("not_positive_duration", f"starts at {start} s, stops at {stop} s")
    narration = entry.get("narration_text")
    clip: dict[str, Any] = {
        "clip_id": f"{entry['clip_uid']}_{entry['action_idx']}",
        "video_id": entry["clip_uid"],
        "recording_id": entry["video_uid"],
        "start_s": start,
        "stop_s": stop,
        "narration": narration if isinstance(narration, str) and narration else None,
    }
    for label, keys in class_keys.items():
        index, word = entry[f"{label}_label"], entry[label]
        if type(index) is not int or not 0 <= index < len(keys):
            raise Reject("unknown_class", f"{label}_label {index!r:.60}, expected 0 to {len(keys) - 1}")
        if keys[index] != word:
            detail = f"{label}_label {index} is {keys[index]!r} in the taxonomy, the entry says {word!r:.60}"
            raise Reject("unknown_class", detail)
        clip[f"{label}_class"], clip[label] = index, word
    if class_keys:
        clip["all_noun_classes"] = [clip["noun_class"]]
    return clip, _Parent(entry["video_uid"], parent_start, parent_end)


def _seconds(entry: dict[str, Any], name: str) -> float:
    value = entry[name]
    if type(value) not in (int, float) or not abs(value) <= sys.float_info.max:
        raise Reject("bad_time", f"{name} {value!r:.60} is not a number of seconds")
    if value < 0:
        raise Reject("bad_time", f"{name} {value!r:.60} is before the start of the video")
    return float(value)


def _clip_id(entry: Any) -> str | None:
    clip_uid, action = (entry.get("clip_uid"), entry.get("action_idx")) if isinstance(entry, dict) else (None, None)
    return f"{clip_uid}_{action}" if isinstance(clip_uid, str) and isinstance(action, int) else None


def _entries(file: Path, split: str) -> list[Any]:
    content = json_object(file)
    if not isinstance(content.get("clips"), list):
        raise InputError(
            f"{file}: no list 'clips' in it, found {', '.join(content) or 'nothing'}; "
            "expected an fho_lta file of Ego4D as it was downloaded."
        )
    stated = content.get("split", split)
    if stated not in _STATED_SPLITS[split]:
        raise InputError(
            f"{file}: by its content it is split {stated!r}, by its name {split}; expected the file as released."
        )
    return content["clips"]


def _class_list(file: Path, name: str, keys: Any) -> pa.Table:
    if not isinstance(keys, list) or not keys or not all(isinstance(key, str) and ego4d_name(key) for key in keys):
        raise InputError(f"{file}: expected a list {name!r} of names, the index in it being the label.")
    rows = [class_row(index, key, ego4d_name(key), more=ego4d_synonyms(key)) for index, key in enumerate(keys)]
    called, times = Counter(row["name"] for row in rows).most_common(1)[0]
    if times > 1:
        same = " and ".join(repr(row["key"]) for row in rows if row["name"] == called)
        raise InputError(f"{file}: the {name} {same} would all be called {called!r}; expected each class once.")
    return class_table(rows)
