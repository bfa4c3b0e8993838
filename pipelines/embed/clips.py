"""Run ``embed`` on clips: raw vectors of several frames each.

The encoder must take several frames at once, as LaViLa does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, groupby
from typing import Any

import numpy as np
import pyarrow as pa

from data_manifests.errors import UsageError
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import decoded_shards, lacking_frames
from pipelines.decode.stored_frames import picture_of, prefetch, stored
from pipelines.embed.stage import EmbedStage, Stream, storable, vector_column, with_smaller_batches
from pipelines.embed.tables import clip_vectors
from pipelines.engine.batches import PIECE, Failed, begun_by, in_begun_batches, in_pieces
from pipelines.engine.progress import Progress
from pipelines.engine.shard_writer import ShardWriter
from pipelines.engine.shards import Layout, read_rows, side_path
from pipelines.engine.stage import OpenShard, Unit


@dataclass
class EmbedClipsStage(EmbedStage):
    """Stage that embeds the clip stream of one split.

    Each draw of a clip gets one vector of several frames. Draw j takes the j-th candidate of each segment. So a plan
    of k candidates gives k draws, and a plan of a single candidate gives the centres. For fewer frames than segments
    see :func:`clip_segments`. A draw that lacks a frame has no row; decode has recorded the failure.

    Attributes:
        clip_frames: F, frames per vector; a divisor of the plan's segments.
    """

    clip_frames: int = 16

    counted = "clip vectors"

    def __post_init__(self) -> None:
        """Check that the number of frames divides the plan's segments."""
        self.segments = clip_segments(self.frames.plan, self.clip_frames)

    @property
    def stream(self) -> Stream:
        """Stream of these vectors: ``clip``."""
        return "clip"

    @property
    def stream_slug(self) -> str:
        """Folder name of the stream: ``clip``."""
        return "clip"

    @property
    def params(self) -> Mapping[str, Any]:
        """Parameters of the vectors: the encoder's provenance, frames and segments.

        Segments are counted from 0.
        """
        return {**super().params, "clip_frames": self.clip_frames, "clip_segments": self.segments}

    @property
    def layout(self) -> Layout:
        """Layout of the shards; loads the encoder to know its width."""
        return clip_vectors(self.encoder.model.dim)

    @property
    def asked_for(self) -> dict[str, Any]:
        """Options of ``xmic embed`` that ask for vectors of clips."""
        return {"streams": "full", "clip_frames": self.clip_frames}

    def units(self) -> list[Unit]:
        """List the units: one per shard of frames.

        A unit also depends on the clip_frames table, which maps clips to frames.
        """
        decoded, missing = decoded_shards(self.frames)
        units = []
        for shard in decoded:
            inputs = {"frames": shard.footer.digest, "clip_frames": shard.footer.sides["clip_frames"]}
            draws = sum(len(task.clips) for task in shard.videos) * self.frames.plan.candidates
            path = self.folder / shard.path.name
            units.append(Unit(shard.group, path, inputs, draws, draws * (2 * 1024 + 40), shard))
        return units + lacking_frames(self.frames, missing, self.folder)

    def make(self, units: Iterable[Unit], open_shard: OpenShard, progress: Progress) -> Iterator[Unit]:
        """Embed the draws of each shard and write their vectors.

        Draws are taken in the order of their last frames. Batches have one fixed shape and cross the row groups of a
        shard.
        """
        for unit in units:
            with_smaller_batches(self.encoder, partial(self._embed, unit, open_shard, progress), progress)
            yield unit

    def _embed(self, unit: Unit, open_shard: OpenShard, progress: Progress) -> None:
        _ = self.encoder.batch_size  # it is part of the environment, which the shard is opened by
        draws = _draws(read_rows(side_path(unit.payload.path, "clip_frames")), self.segments)
        found = _with_frames(unit.payload.rows(), draws)
        with open_shard(unit) as shard:
            shard.attempted = sum(len(of_video) for of_video in draws.values())
            for rows in in_pieces(self._clip_vectors(found), max(1, PIECE // self.clip_frames)):
                self._write_clips(shard, rows)
                progress.advance(len(rows))

    def _clip_vectors(self, found: Iterable[tuple[Draw, list[bytes]]]) -> Iterator[tuple[Draw, np.ndarray | Failed]]:
        model, size = self.encoder.model, max(1, self.encoder.batch_size // self.clip_frames)
        frames = ((draw, jpeg) for draw, jpegs in found for jpeg in jpegs)
        prepared = prefetch(frames, self._prepared_frame, self.workers, size * self.clip_frames)
        clips = (_clip(frames) for frames in in_pieces(prepared, self.clip_frames))
        return in_begun_batches(clips, size, *begun_by(model, "embed_clips"))

    def _prepared_frame(self, frame: tuple[Draw, bytes]) -> tuple[Draw, Any | Failed]:
        draw, jpeg = frame
        picture = picture_of(jpeg)
        return draw, picture if isinstance(picture, Failed) else self.encoder.model.preprocess(picture)

    def _write_clips(self, shard: ShardWriter, rows: Sequence[tuple[Draw, np.ndarray | Failed]]) -> None:
        draws, vectors = storable(shard, rows, lambda draw: {"clip_id": draw.clip_id})
        if draws:
            columns = {
                "clip_id": [draw.clip_id for draw in draws],
                "draw": [draw.number for draw in draws],
                "vector": vector_column(vectors),
            }
            shard.write(pa.table(columns, schema=self.layout.schema))


def _clip(frames: Sequence[tuple[Draw, Any | Failed]]) -> tuple[Draw, list[Any] | Failed]:
    """Return a draw with its frames, or with the failure of its first bad frame."""
    inputs = [prepared for _, prepared in frames]
    failed = next((prepared for prepared in inputs if isinstance(prepared, Failed)), None)
    return frames[0][0], inputs if failed is None else failed


def clip_segments(plan: FramePlan, count: int) -> list[int]:
    """Choose the segments that the frames of a clip vector come from.

    The plan's segments are split into ``count`` equal parts; each part gives the segment at half its length. Of 16
    segments, 16 frames take all and 4 frames take 2, 6, 10 and 14.

    Returns:
        The numbers of the segments, from 0.

    Raises:
        UsageError: ``count`` does not divide the plan's segments.
    """
    if count < 1 or plan.segments % count:
        raise UsageError(
            f"--clip-frames {count}: the frame plan {plan.slug} has {plan.segments} segments; expected a divisor of it."
        )
    step = plan.segments // count
    return [part * step + step // 2 for part in range(count)]


@dataclass(frozen=True)
class Draw:
    """One draw of a clip: the pts of its frames.

    Attributes:
        clip_id: the clip.
        number: the draw, which is the candidate taken in each segment, from 0.
        pts: of each frame, in the order of the segments.
    """

    clip_id: str
    number: int
    pts: tuple[int, ...]


def _draws(wanted: pa.Table, segments: Sequence[int]) -> dict[str, list[Draw]]:
    """Group the draws that have all their frames by video, in the order of their last frames."""
    found: dict[tuple[str, str, int], dict[int, int]] = {}
    for row in wanted.to_pylist():
        key = (row["video_id"], row["clip_id"], row["candidate"])
        found.setdefault(key, {})[row["segment"]] = row["pts"]
    draws: dict[str, list[Draw]] = {}
    for (video, clip, candidate), pts in found.items():
        if all(segment in pts for segment in segments):
            draws.setdefault(video, []).append(Draw(clip, candidate, tuple(pts[segment] for segment in segments)))
    return {video: sorted(several, key=lambda d: (max(d.pts), d.clip_id, d.number)) for video, several in draws.items()}


def _with_frames(rows: Iterable[pa.Table], draws: Mapping[str, Sequence[Draw]]) -> Iterator[tuple[Draw, list[bytes]]]:
    """Yield each draw with its JPEGs, from frames in the order of (video, pts).

    A frame is held in memory only while a later draw needs it.
    """
    for video, frames in groupby(stored(rows), lambda frame: frame[0][0]):
        waiting = draws.get(video, [])
        needed_from = list(accumulate((min(draw.pts) for draw in reversed(waiting)), min))[::-1]
        held: dict[int, bytes] = {}
        done = 0
        for (_, pts), jpeg in frames:
            held[pts] = jpeg
            before = done
            while done < len(waiting) and max(waiting[done].pts) <= pts:
                yield waiting[done], [held[one] for one in waiting[done].pts]
                done += 1
            if done == len(waiting):
                break
            if done > before:
                held = {one: kept for one, kept in held.items() if one >= needed_from[done]}
