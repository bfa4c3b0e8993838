"""Readers: from a dataset's official files to clips, rejects and classes. One dataset a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from data_manifests.errors import InputError
from data_manifests.schema import Label
from data_manifests.videos import Place


@dataclass(frozen=True)
class SplitRows:
    """What a reader makes of one split.

    Attributes:
        clips: rows of :data:`data_manifests.schema.CLIPS`.
        rejects: rows of :data:`data_manifests.schema.REJECTS`.
        origins: for each clip the name of its file and its row there, counted as in the rejects.
        findings: what a person should know of these rows, a sentence each.
    """

    clips: pa.Table
    rejects: pa.Table
    origins: Sequence[tuple[str, int]]
    findings: Sequence[str] = ()


@dataclass(frozen=True)
class VideoFacts:
    """What the annotation says of a video; None where it says nothing."""

    duration_s: float | None = None
    fps: float | None = None
    jpeg_rate: float | None = None


class Reader(Protocol):
    """One dataset format.

    A reader opens no video. Every row of a split file becomes a clip or a reject; a file that is not of
    the format raises :class:`data_manifests.errors.InputError` naming it.
    """

    name: str
    parameters: Mapping[str, Any]
    """Options that change what is read: part of the manifest's key."""

    def splits(self) -> list[str]:
        """The splits whose files are there; at least one.

        Raises:
            InputError: there is none.
        """
        ...

    def files(self, split: str) -> list[Path]:
        """The files that the split's rows and the classes are read from."""
        ...

    def classes(self) -> dict[Label, pa.Table]:
        """The class lists, rows of :data:`data_manifests.schema.CLASSES` with ids 0…C-1 in order."""
        ...

    def read(self, split: str) -> SplitRows:
        """The rows of a split."""
        ...

    def video_places(self, video_id: str) -> list[Place]:
        """Where a video may lie, in order of preference."""
        ...

    def video_facts(self, video_id: str) -> VideoFacts:
        """What the annotation says of a video."""
        ...

    def downloader_list(self, video_ids: Sequence[str]) -> list[str]:
        """Lines that name these videos in the form the dataset's official downloader takes."""
        ...


class VideosByPath:
    """The part of a :class:`Reader` that is about videos, where their ids are paths and nothing is said of them."""

    def video_places(self, video_id: str) -> list[Place]:
        """The id is the path below a root."""
        return [Place(video_id)]

    def video_facts(self, video_id: str) -> VideoFacts:
        """Nothing is annotated."""
        return VideoFacts()

    def downloader_list(self, video_ids: Sequence[str]) -> list[str]:
        """One path a line."""
        return list(video_ids)


@dataclass(frozen=True)
class SplitFiles:
    """The annotation files of a dataset that has one for each split.

    Attributes:
        folder: where they lie.
        names: split → file name.
    """

    folder: Path
    names: Mapping[str, str]

    def there(self) -> list[str]:
        """The splits whose file is there.

        Raises:
            InputError: there is none.
        """
        found = [split for split, name in self.names.items() if (self.folder / name).is_file()]
        if not found:
            raise InputError(f"--annotations {self.folder}: no {' or '.join(self.names.values())} in this folder.")
        return found

    def of(self, split: str) -> Path:
        """The file of a split.

        Raises:
            InputError: it is not there.
        """
        file = self.folder / self.names[split]
        if not file.is_file():
            there = ", ".join(self.there())
            raise InputError(f"{file}: not found. Splits with a file in this folder: {there}.")
        return file


class Reject(Exception):
    """Raised while a row is read: it is no clip, for this reason and in this detail."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


@dataclass
class RejectRows:
    """Collects rejected rows while a file is read."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, file: Path, row: int, clip_id: str | None, reason: str, detail: str) -> None:
        """Reject the row on line ``row`` (1 = first line of the file)."""
        self.rows.append({"file": file.name, "row": row, "clip_id": clip_id, "reason": reason, "detail": detail})
