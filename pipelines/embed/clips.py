"""``embed``: clips to raw vectors of an encoder that takes several frames at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, islice
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa

from data_manifests.errors import InputError, UsageError
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import decoded_shards, note_missing
from pipelines.embed.stage import EmbedStage, Stream, in_float16
from pipelines.embed.tables import clip_vectors
from pipelines.images import decode_ahead
from pipelines.progress import Progress
from pipelines.shards import Layout, ShardWriter, read_rows, side_path
from pipelines.stage import OpenShard, Unit

_FRAMES_AT_ONCE = 64


@dataclass
class EmbedClipsStage(EmbedStage):
    """The clip stream of one split: one vector of several frames for every draw of a clip.

    Draw j takes the j-th candidate of each segment, so a plan of k candidates gives k draws and one of a single
    candidate the centres. Of fewer frames than segments see :func:`clip_segments`. A draw that lacks a frame has no
    row: decode has said why.

    Attributes:
        clip_frames: F, frames a vector; divides the plan's segments.
    """

    clip_frames: int = 16

    def __post_init__(self) -> None:
        """Refuse a number of frames that the plan does not have."""
        self.segments = clip_segments(self.frames.plan, self.clip_frames)

    @property
    def stream(self) -> Stream:
        """'clip'."""
        return "clip"

    @property
    def stream_slug(self) -> str:
        """'clip'."""
        return "clip"

    @property
    def params(self) -> Mapping[str, Any]:
        """The encoder's provenance, how many frames and of which segments (counted from 0)."""
        return {**super().params, "clip_frames": self.clip_frames, "clip_segments": self.segments}

    @property
    def layout(self) -> Layout:
        """Needs the encoder's width, so it loads the encoder."""
        return clip_vectors(self.encoder.model.dim)

    @property
    def command(self) -> str:
        """The command line that makes these shards."""
        return f"{super().command.replace('--streams clip', '--streams full')} --clip-frames {self.clip_frames}"

    def units(self) -> list[Unit]:
        """One unit a shard of frames; it depends on which clip takes which frame too."""
        units = []
        for shard in decoded_shards(self.frames)[0]:
            inputs = {"frames": shard.footer.digest, "clip_frames": shard.footer.sides["clip_frames"]}
            draws = sum(len(task.clips) for task in shard.videos) * self.frames.plan.candidates
            path = self.folder / shard.path.name
            units.append(Unit(shard.group, path, inputs, draws, draws * (2 * 1024 + 40), shard))
        return units

    def make(self, units: Iterable[Unit], open_shard: OpenShard, progress: Progress) -> Iterator[Unit]:
        """Embed the draws in the order of their last frames, in batches of one fixed shape."""
        note_missing(self.frames, decoded_shards(self.frames)[1], progress)
        for unit in units:
            draws = _draws(read_rows(side_path(unit.payload.path, "clip_frames")), self.segments)
            found = _with_frames(unit.payload.rows(), draws)
            with open_shard(unit) as shard:
                shard.attempted = sum(len(of_video) for of_video in draws.values())
                while group := list(islice(found, max(1, _FRAMES_AT_ONCE // self.clip_frames))):
                    self._append_clips(shard, group)
            yield unit

    def _append_clips(self, shard: ShardWriter, group: Sequence[tuple[Draw, list[bytes]]]) -> None:
        model = self.encoder.model
        jpegs = pa.chunked_array([pa.array([jpeg for _, frames in group for jpeg in frames], pa.binary())])
        pictures = decode_ahead(jpegs, self.workers)
        draws: list[Draw] = []
        clips: list[list[Any]] = []
        for draw, frames in group:
            decoded = list(islice(pictures, len(frames)))
            broken = next((picture for picture in decoded if isinstance(picture, InputError)), None)
            if broken is not None:
                shard.fail("decode_error", str(broken), clip_id=draw.clip_id)
                continue
            draws.append(draw)
            clips.append([model.preprocess(picture) for picture in decoded])
        if not clips:
            return
        stored, finite = in_float16(model.embed_clips(clips))
        for index in np.flatnonzero(~finite):
            shard.fail("not_finite", "the vector does not fit in float16", clip_id=draws[index].clip_id)
        kept = np.flatnonzero(finite)
        columns = {
            "clip_id": [draws[index].clip_id for index in kept],
            "draw": [draws[index].number for index in kept],
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(stored[kept].reshape(-1), pa.float16()), model.dim),
        }
        shard.write(pa.table(columns, schema=self.layout.schema))


def clip_segments(plan: FramePlan, count: int) -> list[int]:
    """The segments, counted from 0, that ``count`` frames of a clip are taken from.

    In each of ``count`` equal parts the segment at half its length: all 16 of 16, or 2, 6, 10 and 14 for 4 frames.

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
    """One draw of a clip: the pts of its frames, in order of the segments."""

    clip_id: str
    number: int
    pts: tuple[int, ...]


def _draws(wanted: pa.Table, segments: Sequence[int]) -> dict[str, list[Draw]]:
    """Video → its draws that have all their frames, in order of their last frames."""
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
    """Each draw with its JPEGs, from frames in order of (video, pts); holds no frame that no later draw needs."""
    for video, frames in groupby(_frames(rows), itemgetter(0)):
        waiting = draws.get(video, [])
        needed_from = list(accumulate((min(draw.pts) for draw in reversed(waiting)), min))[::-1]
        held: dict[int, bytes] = {}
        done = 0
        for _, pts, jpeg in frames:
            held[pts] = jpeg
            before = done
            while done < len(waiting) and max(waiting[done].pts) <= pts:
                yield waiting[done], [held[one] for one in waiting[done].pts]
                done += 1
            if done == len(waiting):
                break
            if done > before:
                held = {one: kept for one, kept in held.items() if one >= needed_from[done]}


def _frames(rows: Iterable[pa.Table]) -> Iterator[tuple[str, int, bytes]]:
    for table in rows:
        yield from zip(*(table.column(name).to_pylist() for name in ("video_id", "pts", "jpeg")), strict=True)
