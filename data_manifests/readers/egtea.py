"""Read EGTEA Gaze+: the files of action_annotation.zip, unchanged.

These are its split files and its index files.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from data_manifests.classes import class_row, class_table, egtea_name
from data_manifests.errors import InputError
from data_manifests.readers import Reject, RejectRows, SplitRows, VideoFacts
from data_manifests.readers.text_files import text_of
from data_manifests.schema import CLIPS, LABELS, REJECTS, Label
from data_manifests.videos import Place, check_patterns

_SPLIT_FILES = {
    "train": ["train_split1.txt"],
    "test": ["test_split1.txt", "test_split2.txt", "test_split3.txt"],
}
_LINE_FORM = "'<clip id> <action> <verb> <noun>' with up to two more nouns, ids from 1"
_CLIP_ID_FORM = "<person>-<recipe number>-<recipe>-<start ms>-<stop ms>-F<first frame>-F<last frame>"
_PART = re.compile(r"[A-Za-z0-9_]+")
_TIMES = re.compile(r"(\d{1,9})-(\d{1,9})-F(\d{1,9})-F(\d{1,9})", re.ASCII)
_ID = re.compile(r"\d{1,9}", re.ASCII)

PATTERNS = (
    "cropped_clips/{session}/{clip_id}.mp4",
    "cropped_clips/cropped_clips/{session}/{clip_id}.mp4",
    "video_clips/cropped_clips/{session}/{clip_id}.mp4",
    "videos/cropped_clips/{session}/{clip_id}.mp4",
    "{session}/{clip_id}.mp4",
    "cropped_clips/{clip_id}.mp4",
    "{clip_id}.mp4",
)
"""Paths of the official archive of trimmed clips, below the folders it is commonly unpacked in."""


class EgteaReader:
    """Reader of ``{train,test}_split*.txt`` and ``{action,verb,noun}_idx.txt``.

    ``train`` is ``train_split1.txt``. ``test`` is the union of those of the three test splits that exist. There is no
    ``val``. A clip is a file of its own that is already trimmed, a little wider than its annotation. It is read from
    its start to its end, with test frames at the centres of its segments. The official X-MIC code uses the starts of
    the segments here, and only for EGTEA: we deviate from it. A clip's noun is the first of its one to three nouns.

    Args:
        annotations: the folder with the txt files.
        empty_class: keep the class without a name that the official code has at index 0, before the classes that
            count from 1: 54 nouns and 20 verbs. Without it there are 53 and 19, and each class id is one lower.
        patterns: where clips lie below a root, with ``{session}`` and ``{clip_id}``; :data:`PATTERNS` when there
            are none.

    Raises:
        InputError: the folder is missing.
        UsageError: a pattern is wrong.
    """

    name = "egtea"

    def __init__(self, annotations: Path, empty_class: bool = True, patterns: Sequence[str] = ()) -> None:
        if not annotations.is_dir():
            raise InputError(f"--annotations {annotations}: no such folder. It is action_annotation.zip of EGTEA "
                             "Gaze+, unpacked, with test_split1.txt in it.")  # fmt: skip
        self._folder = annotations
        self._patterns = check_patterns(patterns, ("session", "clip_id")) or PATTERNS
        self._first_id = 1 if empty_class else 0
        self.parameters: Mapping[str, Any] = {"reader": self.name, "empty_class": empty_class}

    def splits(self) -> list[str]:
        """List the splits with at least one file in the folder.

        Raises:
            InputError: no split has a file.
        """
        found = [split for split in _SPLIT_FILES if self._there(split)]
        if not found:
            raise InputError(f"--annotations {self._folder}: no train_split1.txt or test_split1.txt in this folder.")
        return found

    def _there(self, split: str) -> list[Path]:
        files = [self._folder / name for name in _SPLIT_FILES[split]]
        return [file for file in files if file.is_file()]

    def files(self, split: str) -> list[Path]:
        """List the split's files and the three index files."""
        if split not in _SPLIT_FILES:
            raise InputError(f"{self._folder}: EGTEA has no split {split}; it has train and test.")
        if not self._there(split):
            there = ", ".join(self.splits())
            expected = " or ".join(_SPLIT_FILES[split])
            raise InputError(f"{self._folder}: no {expected}. Splits with a file in this folder: {there}.")
        return [*self._there(split), *(self._index_file(what) for what in ("action", *LABELS))]

    def _index_file(self, what: str) -> Path:
        file = self._folder / f"{what}_idx.txt"
        if not file.is_file():
            raise InputError(f"{file}: not found. It comes with action_annotation.zip of EGTEA Gaze+.")
        return file

    def classes(self) -> dict[Label, pa.Table]:
        """Return the class lists of nouns and verbs.

        The names are made by :func:`data_manifests.classes.egtea_name`.
        """
        return {label: self._class_table(label) for label in LABELS}

    def _class_table(self, label: Label) -> pa.Table:
        rows = [class_row(0, "", "")] if self._first_id else []
        for key in self._names[label]:
            rows.append(class_row(len(rows), key, egtea_name(key), more=[egtea_name(part) for part in key.split("/")]))
        return class_table(rows)

    @cached_property
    def _names(self) -> dict[str, list[str]]:
        """Names of actions, verbs and nouns; the name of id 1 first."""
        return {what: _index(self._index_file(what)) for what in ("action", *LABELS)}

    def read(self, split: str) -> SplitRows:
        """Read each line of the split's files as clip or reject.

        Raises:
            InputError: a file is not one of the official ones, or does not match the index files.
        """
        self.files(split)
        kept: dict[str, _Annotation] = {}
        rejects = RejectRows()
        for file in self._there(split):
            for number, clip_id, found in self._annotations(file):
                if isinstance(found, _Annotation) and clip_id in kept:
                    found = _repeated(found, kept[clip_id])
                if isinstance(found, Reject):
                    rejects.add(file, number, clip_id, found.reason, found.detail)
                else:
                    kept[clip_id] = found
        return SplitRows(
            pa.Table.from_pylist([self._clip(annotation) for annotation in kept.values()], schema=CLIPS),
            pa.Table.from_pylist(rejects.rows, schema=REJECTS),
            [annotation.origin for annotation in kept.values()],
            self._about_files(split, kept) + self._about_nouns(kept.values()),
        )

    def _annotations(self, file: Path) -> list[tuple[int, str, _Annotation | Reject]]:
        """Read each line as its number, clip id and annotation or reject.

        A file most of whose lines are wrong is refused as a wrong file.
        """
        lines = _split_lines(file)
        found: list[tuple[int, str, _Annotation | Reject]] = []
        for number, cells in lines:
            try:
                found.append((number, cells[0], self._annotation(file, number, cells)))
            except Reject as reject:
                found.append((number, cells[0], reject))
        wrong = [(number, row) for number, _, row in found if isinstance(row, Reject)]
        if 2 * len(wrong) > len(lines):
            # Only lines whose ids disagree can be those of a copy that counts from 0.
            disagree = wrong[0][1].reason == "unknown_class"
            why = "The ids seem to count from 0. " if disagree and self._are_one_too_low(lines) else ""
            raise InputError(
                f"{file}: {len(wrong)} of {len(lines)} lines are wrong, the first is line {wrong[0][0]}: "
                f"{wrong[0][1].detail}. {why}Expected {_LINE_FORM}, as in action_annotation.zip."
            )
        return found

    def _annotation(self, file: Path, number: int, cells: list[str]) -> _Annotation:
        clip_id, *ids = cells
        _check_clip_id(clip_id)
        if not 3 <= len(ids) <= 5:
            reason = "missing_value" if len(ids) < 3 else "unknown_class"
            raise Reject(reason, f"{len(cells)} columns, expected 4 to 6: {_LINE_FORM}")
        whats = ["action", "verb"] + ["noun"] * (len(ids) - 2)
        action, verb, *nouns = (self._id(file, number, what, text) for what, text in zip(whats, ids, strict=True))
        if not self._agree(action, verb, nouns[0]):
            raise Reject(
                "unknown_class",
                f"action {action} is {self._name('action', action)!r}, but verb {verb} is "
                f"{self._name('verb', verb)!r} and noun {nouns[0]} is {self._name('noun', nouns[0])!r}",
            )
        return _Annotation(clip_id, action, verb, tuple(nouns), (file.name, number))

    def _id(self, file: Path, number: int, what: str, text: str) -> int:
        if not _ID.fullmatch(text):
            raise Reject("unknown_class", f"{what} {text!r} is not an id")
        count = len(self._names[what])
        if int(text) == 0:
            raise InputError(
                f"{file}, line {number}: {what} 0; expected 1 to {count}. The ids of EGTEA count from 1, those of "
                "this copy from 0; take the file from action_annotation.zip."
            )
        if int(text) > count:
            raise InputError(
                f"{file}, line {number}: {what} {text}; expected 1 to {count}, the ids in {what}_idx.txt. "
                "The two files do not belong together; take both from action_annotation.zip."
            )
        return int(text)

    def _name(self, what: str, number: int) -> str:
        return self._names[what][number - 1]

    def _agree(self, action: int, verb: int, noun: int) -> bool:
        """Check that the action's name begins with the verb's and the noun's."""
        name, start = self._name("action", action), f"{self._name('verb', verb)} {self._name('noun', noun)}"
        return name == start or name.startswith(f"{start},")

    def _are_one_too_low(self, lines: list[tuple[int, list[str]]]) -> bool:
        """Check whether most lines make sense once each id is one higher."""
        limits = [len(self._names[what]) for what in ("action", "verb", "noun")]
        better = 0
        for _, cells in lines:
            ids = [int(text) + 1 for text in cells[1:4] if _ID.fullmatch(text)]
            inside = len(ids) == 3 and all(number <= limit for number, limit in zip(ids, limits, strict=True))
            better += inside and self._agree(*ids)
        return 2 * better > len(lines)

    def _clip(self, annotation: _Annotation) -> dict[str, Any]:
        nouns = [noun - 1 + self._first_id for noun in annotation.nouns]
        return {
            "clip_id": annotation.clip_id,
            "video_id": annotation.clip_id,
            "start_s": 0.0,
            "noun_class": nouns[0],
            "verb_class": annotation.verb - 1 + self._first_id,
            "all_noun_classes": nouns,
            "noun": self._name("noun", annotation.nouns[0]),
            "verb": self._name("verb", annotation.verb),
            "narration": self._name("action", annotation.action),
            "participant_id": annotation.clip_id.partition("-")[0],
            "recording_id": _session(annotation.clip_id),
        }

    def _about_files(self, split: str, clip_ids: Collection[str]) -> list[str]:
        read = ", ".join(file.name for file in self._there(split))
        if split == "test":
            return [
                f"{len(self._there(split))} of 3 test splits ({read}): {len(clip_ids):,} clips; "
                "the paper's test set is all three, 6,065 clips"
            ]
        tested = {cells[0] for file in self._there("test") for _, cells in _split_lines(file)}
        shared = len(tested.intersection(clip_ids))
        if not shared:
            return []
        return [
            f"{shared:,} of the {len(clip_ids):,} clips of {read} are in the test split too, which is the union of the "
            "three test splits: who trains on them must keep only test_split1.txt in the folder"
        ]

    def _about_nouns(self, annotations: Iterable[_Annotation]) -> list[str]:
        """Report clips whose further nouns differ from their action's name."""
        fewer: list[_Annotation] = []
        others: list[_Annotation] = []
        for annotation in annotations:
            named = self._name("action", annotation.action).removeprefix(f"{self._name('verb', annotation.verb)} ")
            expected = named.split(",")
            found = [self._name("noun", noun) for noun in annotation.nouns]
            if found != expected:
                (fewer if len(found) < len(expected) else others).append(annotation)
        about = []
        if fewer:
            about.append(
                f"fewer nouns than the action's name has: {_counted(fewer)}; the official files have none, this is "
                "probably a copy with 4 columns, in which some clip ids are not those of the video files"
            )
        if others:
            about.append(
                f"other nouns after the first than the action's name has: {_counted(others)}; kept as they are"
            )
        return about

    def video_places(self, video_id: str) -> list[Place]:
        """List the places of a trimmed clip, by :data:`PATTERNS`.

        Patterns that were given to the reader replace :data:`PATTERNS`.
        """
        return [Place(pattern.format(session=_session(video_id), clip_id=video_id)) for pattern in self._patterns]

    def video_facts(self, video_id: str) -> VideoFacts:
        """Return no facts: a clip's file has no annotated length.

        The times in a clip's id are those of the annotation; its file is about a fifth longer.
        """
        return VideoFacts()

    def downloader_list(self, video_ids: Sequence[str]) -> list[str]:
        """List paths below ``cropped_clips``, one per line.

        EGTEA comes in archives and has no downloader.
        """
        return [f"{_session(video_id)}/{video_id}.mp4" for video_id in video_ids]


@dataclass(frozen=True)
class _Annotation:
    """Line of a split file; ids as in the file, from 1."""

    clip_id: str
    action: int
    verb: int
    nouns: tuple[int, ...]
    origin: tuple[str, int] = field(compare=False)


def _counted(annotations: Sequence[_Annotation]) -> str:
    file, line = annotations[0].origin
    return f"{len(annotations):,} (first in {file}, line {line})"


def _lines(file: Path) -> list[tuple[int, list[str]]]:
    """Read the words of each non-blank line, with its number."""
    lines = [(number, line.split()) for number, line in enumerate(text_of(file).split("\n"), start=1)]
    lines = [(number, words) for number, words in lines if words]
    if not lines:
        raise InputError(f"{file}: no line in it.")
    number, words = lines[0]
    if words[0][0] in "\"'":
        raise InputError(
            f"{file}, line {number}: found {' '.join(words)}; expected the line without quotes. "
            "This is a copy in which every line is quoted; take the file from action_annotation.zip."
        )
    return lines


def _split_lines(file: Path) -> list[tuple[int, list[str]]]:
    lines = _lines(file)
    number, cells = lines[0]
    if "," in cells[0]:
        raise InputError(
            f"{file}, line {number}: found {' '.join(cells)}; expected {_LINE_FORM}. "
            "A table with commas is a copy made for another tool, with ids and frame numbers of its own; "
            "take the file from action_annotation.zip."
        )
    return lines


def _index(file: Path) -> list[str]:
    names: list[str] = []
    for number, words in _lines(file):
        name, expected = " ".join(words[:-1]), str(len(names) + 1)
        if words[-1] != expected or not name or name in names:
            raise InputError(
                f"{file}, line {number}: found {' '.join(words)!r}; expected a new name and the id {expected} "
                "(ids count from 1 without a gap)."
            )
        names.append(name)
    return names


def _session(clip_id: str) -> str:
    return "-".join(clip_id.split("-")[:3])


def _check_clip_id(clip_id: str) -> None:
    stem, dot, ending = clip_id.rpartition(".")
    if dot and ending.isalnum() and _TIMES.search(stem):
        raise Reject("bad_time", f"clip id {clip_id!r} ends in .{ending}; expected {stem!r}: ids have no file ending")
    parts = clip_id.split("-")
    if not all(_PART.fullmatch(part) for part in parts):
        raise Reject("unsafe_path", f"clip id {clip_id!r} is not of the form {_CLIP_ID_FORM}")
    times = _TIMES.fullmatch("-".join(parts[3:]))
    if times is None:
        raise Reject("bad_time", f"clip id {clip_id!r} is not of the form {_CLIP_ID_FORM}")
    start, stop, first, last = (int(number) for number in times.groups())
    if stop <= start or last <= first:
        raise Reject("not_positive_duration", f"{start} to {stop} ms, frames {first} to {last}")


def _repeated(annotation: _Annotation, earlier: _Annotation) -> Reject:
    file, line = earlier.origin
    if annotation == earlier:
        return Reject("duplicate_row", f"the same clip and labels as {file}, line {line}")
    return Reject("duplicate_id", f"{file}, line {line} has this clip with other labels")
