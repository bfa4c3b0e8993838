"""Read the requested columns of a prepared split's clips and videos."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, overload

import numpy as np
import pyarrow as pa

from data_manifests.errors import MissingUpstream
from data_manifests.schema import LABELS, Label
from pipelines.engine.digest import digest_groups, rows_by
from pipelines.engine.shards import Footer, iter_rows, read_footer, read_rows
from pipelines.engine.workspace import Workspace


@dataclass(frozen=True)
class Clip:
    """The id and interval of a clip.

    Attributes:
        clip_id: Id of the clip.
        start_s: Start in seconds from the start of the video.
        stop_s: Stop in seconds from the start of the video; None for the end of the video.
        start_frame: Number of the first JPEG; None where the annotation has no frame numbers.
        stop_frame: Number of the last JPEG; None likewise.
    """

    clip_id: str
    start_s: float
    stop_s: float | None
    start_frame: int | None = None
    stop_frame: int | None = None


@dataclass(frozen=True, eq=False)
class VideoClips(Sequence[Clip]):
    """The clips of one video, made when they are asked for.

    A split may have millions of clips; as Arrow columns they take a fraction of the memory of objects.

    Attributes:
        table: intervals of all clips of the split; shared by its videos.
        rows: int64 rows of this video's clips, in manifest order.
    """

    table: pa.Table
    rows: np.ndarray

    def __len__(self) -> int:
        """Count the clips."""
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Clip: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Clip]: ...

    def __getitem__(self, index: int | slice) -> Clip | Sequence[Clip]:
        """Make the clips at one or several places."""
        if isinstance(index, slice):
            return VideoClips(self.table, self.rows[index])
        return self._clips(self.rows[index : index + 1 or None])[0]

    def __iter__(self) -> Iterator[Clip]:
        """Make the clips one after the other, from one reading of the columns."""
        return iter(self._clips(self.rows))

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process gets these clips alone, not the table of all.
        return list, (self._clips(self.rows),)

    def _clips(self, rows: np.ndarray) -> list[Clip]:
        chosen = self.table.take(pa.array(rows))
        return [Clip(*values) for values in zip(*(_values(chosen, name) for name in _INTERVAL), strict=True)]


_INTERVAL = tuple(item.name for item in fields(Clip))
_TIMED = ("video_id", *_INTERVAL)
_NAMED = ("clip_id", "video_id", "recording_id", *(f"{label}_class" for label in LABELS))


@dataclass(frozen=True, eq=False)
class Clips:
    """The M clips of a split, in manifest order.

    Attributes:
        read: maps column names of :data:`data_manifests.schema.CLIPS` to a table of these columns, M rows.
    """

    read: Callable[[Sequence[str]], pa.Table]

    # Ids, recordings and labels are used together, so they are read at once. Else a prepare in between could mix two
    # tables.
    @cached_property
    def _named(self) -> pa.Table:
        return self.read(_NAMED)

    @cached_property
    def _timed(self) -> pa.Table:
        return self.read(_TIMED).combine_chunks()  # else every selection of rows would look through all chunks

    @cached_property
    def clip_ids(self) -> list[str]:
        """Ids of the M clips."""
        return _values(self._named, "clip_id")

    @cached_property
    def video_ids(self) -> list[str]:
        """Video ids of the M clips."""
        return _values(self._named, "video_id")

    @cached_property
    def recordings(self) -> list[str]:
        """Ids of the recordings that the M clips were cut from."""
        return _values(self._named, "recording_id")

    @cached_property
    def labels(self) -> dict[Label, np.ndarray]:
        """Label → class of each clip, int64 ``[M]``; −1 where none."""
        columns = {label: self._named.column(f"{label}_class") for label in LABELS}
        return {label: column.fill_null(-1).to_numpy().astype(np.int64) for label, column in columns.items()}

    @cached_property
    def participants(self) -> list[str | None]:
        """Participant ids of the M clips; None where the dataset has none.

        The participant is the person who wears the camera.
        """
        return _values(self.read(["participant_id"]), "participant_id")

    @cached_property
    def nouns(self) -> list[list[int]]:
        """All annotated noun classes of each of the M clips."""
        return [of or [] for of in _values(self.read(["all_noun_classes"]), "all_noun_classes")]

    def by_video(self) -> dict[str, VideoClips]:
        """Group the clips by video, in manifest order."""
        table = self._timed.select(_INTERVAL)
        return {video: VideoClips(table, rows) for video, rows in rows_by(self._timed.column("video_id")).items()}

    def digests_by_video(self) -> dict[str, str]:
        """Digest the ids and intervals of each video's clips.

        These digests are inputs of the keys of frame shards.

        Returns:
            Video id → digest.
        """
        return digest_groups(self._timed, "video_id", _INTERVAL)

    def only(self, clip_ids: Set[str]) -> Clips:
        """Select the clips with the given ids, in manifest order."""
        rows = pa.array([row for row, clip_id in enumerate(self.clip_ids) if clip_id in clip_ids], pa.int64())
        named = self._named.take(rows)
        return Clips(lambda columns: named if columns == _NAMED else self.read(columns).take(rows))


def read_clips(workspace: Workspace, dataset: str, split: str) -> Clips:
    """Read the clips of a prepared split.

    Raises:
        MissingUpstream: the split is not prepared.
    """
    file = workspace.clips_file(dataset, split)
    if not file.is_file():
        raise MissingUpstream(f"{file}: not prepared. Run xmic prepare for {dataset} {split}.")
    return Clips(lambda columns: read_rows(file, columns))


def iter_clips(workspace: Workspace, dataset: str, split: str, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Read columns of the clips row by row, in bounded memory.

    Yields:
        One dictionary per clip, in manifest order.
    """
    return (row for rows in iter_rows(workspace.clips_file(dataset, split), columns) for row in rows.to_pylist())


def clips_footer(workspace: Workspace, dataset: str, split: str) -> Footer:
    """Read the footer of a split's clips: row count and digest.

    Raises:
        FileNotFoundError: the split is not prepared.
        DamagedShard: the table is damaged.
    """
    return read_footer(workspace.clips_file(dataset, split))


def read_videos(workspace: Workspace, dataset: str, split: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Read the videos of a prepared split.

    Args:
        workspace: Workspace that has the split.
        dataset: Name of the dataset.
        split: Name of the split.
        columns: Columns of :data:`data_manifests.schema.VIDEOS`; None reads all of them.

    Raises:
        FileNotFoundError: the split is not prepared.
        DamagedShard: the table is damaged.
    """
    return read_rows(workspace.videos_file(dataset, split), columns)


def _values(table: pa.Table, name: str) -> list[Any]:
    values: list[Any] = table.column(name).to_pylist()
    return values
