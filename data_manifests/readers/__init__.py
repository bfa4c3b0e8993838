"""Read a dataset's official files into clips, rejected rows and classes.

Each dataset has a module of its own.
"""

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
    """Clips, rejected rows and findings of one split.

    Attributes:
        clips: rows of :data:`data_manifests.schema.CLIPS`.
        rejects: rows of :data:`data_manifests.schema.REJECTS`.
        origins: for each clip the name of its file and its row in that file, counted as in the rejects.
        findings: sentences about these rows that a user should read.
    """

    clips: pa.Table
    rejects: pa.Table
    origins: Sequence[tuple[str, int]]
    findings: Sequence[str] = ()


@dataclass(frozen=True)
class VideoFacts:
    """Duration (s), frame rate and JPEG rate of a video as annotated.

    Rates are per second. A value is None where the annotation does not give it.
    """

    duration_s: float | None = None
    fps: float | None = None
    jpeg_rate: float | None = None


class Reader(Protocol):
    """Interface of a reader of one dataset format.

    A reader opens no video. Every row of a split file becomes a clip or a reject. A file that is not of the format
    raises :class:`data_manifests.errors.InputError` naming the file.
    """

    name: str
    parameters: Mapping[str, Any]
    """Options that change what is read: part of the manifest's key."""

    def splits(self) -> list[str]:
        """List the splits whose files exist; at least one.

        Raises:
            InputError: no split has a file.
        """
        ...

    def files(self, split: str) -> list[Path]:
        """List the files of a split's rows and of the classes."""
        ...

    def classes(self) -> dict[Label, pa.Table]:
        """Return the class lists of nouns and verbs.

        They are rows of :data:`data_manifests.schema.CLASSES` with ids 0…C-1 in order.
        """
        ...

    def read(self, split: str) -> SplitRows:
        """Read the rows of a split."""
        ...

    def video_places(self, video_id: str) -> list[Place]:
        """List the places a video may lie in, in order of preference."""
        ...

    def video_facts(self, video_id: str) -> VideoFacts:
        """Return the duration and rates of a video as annotated."""
        ...

    def downloader_list(self, video_ids: Sequence[str]) -> list[str]:
        """List videos in the form that the dataset's official downloader reads."""
        ...


class VideosByPath:
    """Video methods of a :class:`Reader` whose video ids are paths.

    Such a dataset has no annotated facts about its videos.
    """

    def video_places(self, video_id: str) -> list[Place]:
        """Return the id as the path below a root."""
        return [Place(video_id)]

    def video_facts(self, video_id: str) -> VideoFacts:
        """Return no facts: nothing is annotated."""
        return VideoFacts()

    def downloader_list(self, video_ids: Sequence[str]) -> list[str]:
        """List the paths, one per line."""
        return list(video_ids)


@dataclass(frozen=True)
class SplitFiles:
    """Annotation files of a dataset with one file per split.

    Attributes:
        folder: the folder of the files.
        names: split → file name.
    """

    folder: Path
    names: Mapping[str, str]

    def there(self) -> list[str]:
        """List the splits whose file exists.

        Raises:
            InputError: no split has a file.
        """
        found = [split for split, name in self.names.items() if (self.folder / name).is_file()]
        if not found:
            raise InputError(f"--annotations {self.folder}: no {' or '.join(self.names.values())} in this folder.")
        return found

    def of(self, split: str) -> Path:
        """Return the file of a split.

        Raises:
            InputError: the file does not exist.
        """
        file = self.folder / self.names[split]
        if not file.is_file():
            there = ", ".join(self.there())
            raise InputError(f"{file}: not found. Splits with a file in this folder: {there}.")
        return file


class Reject(Exception):
    """Exception for a row that is no clip, with reason and detail.

    It is raised while the row is read.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


@dataclass
class RejectRows:
    """Collector of rejected rows while a file is read."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, file: Path, row: int, clip_id: str | None, reason: str, detail: str) -> None:
        """Reject a row of a file.

        Args:
            file: the annotation file.
            row: number of the line in the file, 1 = first line.
            clip_id: id of the clip, None when the row has none.
            reason: a key of :data:`data_manifests.schema.REJECT_REASONS`.
            detail: the value that was found and the value that was expected.
        """
        self.rows.append({"file": file.name, "row": row, "clip_id": clip_id, "reason": reason, "detail": detail})
