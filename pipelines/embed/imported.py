"""Run ``import-features``: store vectors made elsewhere as an ordinary stream.

Training and evaluation read the stream like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from data_manifests.errors import InputError, UsageError
from pipelines.decode.stage import Decoded, DecodeStage, decoded_shards, lacking_frames
from pipelines.embed.options import ImportedStream, ImportFeaturesOptions
from pipelines.embed.stage import EmbedStage
from pipelines.embed.tables import SIDES, frame_vectors
from pipelines.embed.vector_files import SAME_COSINE, VectorFile
from pipelines.engine.command_lines import command_line
from pipelines.engine.csv_text import as_no_formula
from pipelines.engine.environment import versions
from pipelines.engine.progress import Progress
from pipelines.engine.shard_writer import ShardWriter
from pipelines.engine.shards import Layout, read_rows, side_path
from pipelines.engine.stage import OpenShard, Unit

EXACT_S = 0.001
"""Default tolerance between an imported time and a frame's time, seconds; it allows for rounding to milliseconds."""

_ROUNDING_S = 1e-9
_DIFFER = (
    ", but their vectors differ. A frame has one vector; two that agree within float16 "
    f"(cosine > {SAME_COSINE}) count as one."
)
Key = tuple[str, int]


def encoder_slug(name: str) -> str:
    """Return the folder name of an encoder known by its vectors only.

    Raises:
        UsageError: the name has other characters than a folder name may have.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UsageError(f"--name {name}: expected letters, digits, '.', '_' and '-', as in lavila-b16.")
    return f"imported-{name}"


def facts_of(name: str, normalised: bool) -> dict[str, Any]:
    """Return the facts that artifacts record of vectors made elsewhere."""
    return {
        "spec": f"imported:{name}",
        "provenance": "imported",
        "normalised": normalised,
        "random_weights": False,
    }


@dataclass
class ImportFeaturesStage:
    """Stage that imports the vectors of one stream of one split.

    A row of the file names its frame by (clip_id, segment, candidate), or by (video_id, time_s). A frame without a row
    becomes a failure ``not_imported``. Rows of one frame whose vectors agree count as one, the first. The shards read
    like those of :class:`pipelines.embed.stage.EmbedStage`. See :class:`pipelines.engine.stage.Stage`.

    Attributes:
        frames: the decode stage whose frames the vectors are of.
        encoder: name for the encoder.
        source: the vectors.
        source_sha256: digest of their files.
        stream: 'full' frames or 'hand' crops; for 'hand' the column ``whole_frame`` marks vectors of a full frame.
        nearest_within_s: largest distance in seconds between a frame and its nearest row. None = :data:`EXACT_S`, and
            a frame whose nearest row is farther is refused.
    """

    frames: DecodeStage
    encoder: str
    source: VectorFile
    source_sha256: str
    stream: ImportedStream = "full"
    nearest_within_s: float | None = None
    _repeated: set[int] = field(default_factory=set, init=False, repr=False)

    name = EmbedStage.name
    counted = EmbedStage.counted
    version = EmbedStage.version
    sides: Mapping[str, Layout] = field(default_factory=lambda: SIDES)

    def __post_init__(self) -> None:
        """Check the keys of the rows.

        Raises:
            UsageError: a tolerance for keys that need none, or one that is not 0 or more.
            InputError: a key is missing or invalid, or two rows with the same have other vectors.
        """
        if self.nearest_within_s is not None and not (self._timed and 0 <= self.nearest_within_s < np.inf):
            raise UsageError(
                f"--nearest-within {self.nearest_within_s}: expected seconds, 0 or more, for vectors with video_id and "
                "time_s."
            )
        _ = self._of_video if self._timed else self._of_clip
        _ = self._whole_frame

    @property
    def _timed(self) -> bool:
        return "clip_id" not in self.source.columns

    @property
    def title(self) -> str:
        """Dataset, split and stream."""
        return f"{self.frames.title} {self.stream}"

    @property
    def params(self) -> Mapping[str, Any]:
        """Parameters of the vectors: their provenance and the file's digest."""
        return {**self.provenance, "source_sha256": self.source_sha256}

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Provenance of the vectors: encoder, stream, time tolerance and frame plan."""
        within = EXACT_S if self.nearest_within_s is None else self.nearest_within_s
        return {
            **facts_of(self.encoder, self._normalised),
            "encoder": encoder_slug(self.encoder),
            "stream": self.stream,
            "time_tolerance_s": within if self._timed else None,
            "plan": self.frames.plan.slug,
        }

    @cached_property
    def _normalised(self) -> bool:
        return self.source.normalised

    @property
    def environment(self) -> Mapping[str, Any]:
        """Name of the file, and versions of the libraries."""
        return {"file": self.source.path.name, **versions("numpy", "pyarrow")}

    @property
    def layout(self) -> Layout:
        """Layout of the shards, as wide as the vectors."""
        return frame_vectors(self.source.dim)

    @property
    def folder(self) -> Path:
        """Folder of the shards.

        ``embeddings/<dataset>/<split>/<plan>/imported-<name>/{full,hand-imported}``.
        """
        frames = self.frames
        stream = "full" if self.stream == "full" else "hand-imported"
        slug = encoder_slug(self.encoder)
        return frames.workspace.embeddings(frames.dataset, frames.split, frames.plan.slug, slug, stream)

    @property
    def command(self) -> str:
        """Command line that makes these shards."""
        frames = self.frames
        options = ImportFeaturesOptions(
            dataset=frames.dataset,
            split=frames.split,
            name=self.encoder,
            vectors=Path("FILE"),
            stream=self.stream,
            nearest_within=self.nearest_within_s,
        )
        return command_line("import-features", options, root=frames.workspace.root)

    def units(self) -> list[Unit]:
        """List the units: one per shard of frames."""
        decoded, missing = decoded_shards(self.frames)
        units = [
            Unit(
                shard.group,
                self.folder / shard.path.name,
                {"frames": shard.footer.digest},
                shard.footer.rows,
                shard.footer.rows * (2 * self.source.dim + 40),
                shard,
            )
            for shard in decoded
        ]
        return units + lacking_frames(self.frames, missing, self.folder)

    def make(self, units: Iterable[Unit], open_shard: OpenShard, progress: Progress) -> Iterator[Unit]:
        """Write each frame's vector into its shard.

        Rows are in the order of the frames. At the end, report how many rows of the file were not used.
        """
        if self._normalised:
            progress.note(
                f"{self.source.path}: every vector has length 1; recorded as normalised. X-MIC takes raw ones."
            )
        used: set[int] = set()
        for unit in units:
            found = self._rows_of(unit.payload)
            with open_shard(unit) as shard:
                self._append(shard, unit.payload, found)
            used |= set(found.values())
            yield unit
        again = len(self._repeated - used)
        if again:
            progress.note(
                f"{self.source.path}: {again} rows are of a frame that an earlier row is of; their vectors agree "
                f"(cosine > {SAME_COSINE}), and the first counts"
            )
        idle = len(self.source.vectors) - len(used) - again
        if used and idle:
            progress.note(f"{self.source.path}: {idle} of {len(self.source.vectors)} rows are of no frame made here")

    def _append(self, shard: ShardWriter, frames: Decoded, found: Mapping[Key, int]) -> None:
        keys: list[Key] = []
        rows: list[int] = []
        for video_id, pts in _keys(frames):
            row = found.get((video_id, pts))
            if row is None:
                shard.fail("not_imported", f"{self.source.path.name} has no vector of it", video_id=video_id, pts=pts)
                continue
            with np.errstate(over="ignore"):
                good = np.isfinite(self.source.vectors[row].astype(np.float16)).all()
            if not good:
                error = f"row {row} does not fit in float16"
                shard.fail("not_finite", error, video_id=video_id, pts=pts)
                continue
            keys.append((video_id, pts))
            rows.append(row)
        vectors = self.source.vectors[rows].astype(np.float16) if rows else np.zeros((0, self.source.dim), np.float16)
        table = {
            "video_id": [video_id for video_id, _ in keys],
            "pts": [pts for _, pts in keys],
            "whole_frame": self._whole_frame[rows] if rows else np.zeros(0, bool),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1), pa.float16()), self.source.dim),
        }
        shard.write(pa.table(table, schema=self.layout.schema))

    @cached_property
    def _whole_frame(self) -> np.ndarray:
        """True for the vectors of a hand stream that are of full frames, bool [R]."""
        if self.stream == "full":
            return np.zeros(len(self.source.vectors), bool)
        if "whole_frame" not in self.source.columns:
            raise InputError(
                f"{self.source.path}: a hand stream needs whole_frame: true where no hand was found and the vector is "
                "of the full frame, else false."
            )
        return self.source.flags("whole_frame")

    def _rows_of(self, frames: Decoded) -> dict[Key, int]:
        """Map (video, pts) to the row of the file."""
        return self._by_time(frames) if self._timed else self._by_clip(frames)

    @cached_property
    def _of_clip(self) -> dict[tuple[str, int, int], int]:
        """Row of the file by (clip, segment, candidate)."""
        clips, segments = self.source.texts("clip_id"), self.source.numbers("segment", whole=True)
        plan = self.frames.plan
        if "candidate" in self.source.columns:
            candidates = self.source.numbers("candidate", whole=True)
        elif plan.candidates == 1:
            candidates = np.zeros(len(clips), np.int64)
        else:
            raise InputError(
                f"{self.source.path}: {self.frames.title} has {plan.candidates} frames a segment; which of them is "
                "each vector of? Add candidate, from 0."
            )
        found: dict[tuple[str, int, int], int] = {}
        for row, key in enumerate(zip(clips, segments.tolist(), candidates.tolist(), strict=True)):
            if not (0 <= key[1] < plan.segments and 0 <= key[2] < plan.candidates):
                raise InputError(
                    f"{self.source.path}: row {row}: segment {key[1]}, candidate {key[2]}; the plan {plan.slug} has "
                    f"segments 0 to {plan.segments - 1} and candidates 0 to {plan.candidates - 1}."
                )
            if found.setdefault(key, row) != row and not self._repeats(found[key], row):
                raise InputError(f"{self.source.path}: rows {found[key]} and {row} are both of {key}{_DIFFER}")
        return found

    def _repeats(self, first: int, row: int) -> bool:
        """Check whether two rows of one frame agree; the second is then counted as a repeat."""
        agree = self.source.same(first, row) and bool(self._whole_frame[first] == self._whole_frame[row])
        if agree:
            self._repeated.add(row)
        return agree

    def _by_clip(self, frames: Decoded) -> dict[Key, int]:
        found: dict[Key, int] = {}
        for place in read_rows(side_path(frames.path, "clip_frames")).to_pylist():
            keys = [(name, place["segment"], place["candidate"]) for name in _as_listed(place["clip_id"])]
            row = next((self._of_clip[key] for key in keys if key in self._of_clip), None)
            if row is None:
                continue
            key = place["video_id"], place["pts"]
            first, row = sorted((found.get(key, row), row))
            found[key] = first
            if first != row and not self._repeats(first, row):
                raise InputError(
                    f"{self.source.path}: rows {first} and {row} are of one frame, {place['video_id']} pts "
                    f"{place['pts']}, which two instants share{_DIFFER}"
                )
        return found

    @cached_property
    def _of_video(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Times of each video, ascending, and their rows."""
        videos, times = np.array(self.source.texts("video_id")), self.source.numbers("time_s")
        order = np.lexsort((times, videos))
        again = (videos[order][1:] == videos[order][:-1]) & (times[order][1:] == times[order][:-1])
        for at in np.flatnonzero(again):
            one, two = int(order[at]), int(order[at + 1])
            if not self._repeats(one, two):
                raise InputError(
                    f"{self.source.path}: rows {one} and {two} are both of {videos[one]} at {times[one]} s{_DIFFER}"
                )
        order = order[np.append(True, ~again)]
        names, starts = np.unique(videos[order], return_index=True)
        parts = np.split(order, starts[1:])
        return {str(name): (times[part], part) for name, part in zip(names, parts, strict=True)}

    def _by_time(self, frames: Decoded) -> dict[Key, int]:
        found: dict[Key, int] = {}
        within = EXACT_S if self.nearest_within_s is None else self.nearest_within_s
        rows = read_rows(frames.path, ["video_id", "pts", "time_s"]).to_pylist()
        for frame in rows:
            name = next((name for name in _as_listed(frame["video_id"]) if name in self._of_video), None)
            if name is None:
                continue
            if frame["time_s"] is None:
                raise InputError(
                    f"{self.source.path}: {frame['video_id']} was decoded from JPEGs of unknown rate, so its frames "
                    "have no time; give clip_id, segment and candidate in place of video_id and time_s."
                )
            times, places = self._of_video[name]
            right = min(int(np.searchsorted(times, frame["time_s"])), len(times) - 1)
            left = max(right - 1, 0)
            at = left if abs(times[left] - frame["time_s"]) <= abs(times[right] - frame["time_s"]) else right
            away = abs(float(times[at]) - frame["time_s"])
            if away <= within + _ROUNDING_S:
                found[frame["video_id"], frame["pts"]] = int(places[at])
            elif self.nearest_within_s is None:
                raise InputError(
                    f"{self.source.path}: row {places[at]}, {frame['video_id']} at {times[at]:.6g} s, is the nearest "
                    f"to the frame at {frame['time_s']:.6g} s, but {away:.3g} s away; at most {EXACT_S} s is taken for "
                    "the same. Make vectors at the frames' times (--list-frames prints them), or accept others with "
                    "--nearest-within SECONDS, which is recorded."
                )
        return found


def _as_listed(name: str) -> tuple[str, str]:
    """Return an id, and how ``--list-frames`` writes it where a spreadsheet would take it for a formula."""
    return name, as_no_formula(name)


def _keys(frames: Decoded) -> list[Key]:
    rows = read_rows(frames.path, ["video_id", "pts"])
    return list(zip(rows.column("video_id").to_pylist(), rows.column("pts").to_pylist(), strict=True))


def wanted_frames(frames: DecodeStage) -> Iterator[dict[str, Any]]:
    """List the frames whose vectors can be imported.

    Yields:
        clip_id, segment, candidate, video_id and time_s of each frame.

    Raises:
        MissingUpstream: nothing is decoded.
    """
    for shard in decoded_shards(frames)[0]:
        rows = read_rows(shard.path, ["video_id", "pts", "time_s"]).to_pylist()
        times = {(row["video_id"], row["pts"]): row["time_s"] for row in rows}
        for place in read_rows(side_path(shard.path, "clip_frames")).to_pylist():
            pts = place.pop("pts")
            yield {**place, "time_s": times[place["video_id"], pts]}
