"""Lay out the vectors of a stream as one memory-mapped matrix.

Parquet is the exchange format; gathering 128 clips of 16 frames from it at random would read it all. So each
(embedding, plan) is laid out once as ``.npy`` files, the matrix and the rows of each clip in it. They lie under
``cache/features/``, named by a digest of what they were made from, and can be deleted at any time.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data_manifests.errors import InputError, MissingUpstream
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import DecodeStage, decoded_shards
from pipelines.embed.encoders.spec import embed_command
from pipelines.engine.digest import digest_json
from pipelines.engine.locks import exclusive_lock, said_once
from pipelines.engine.progress import Progress
from pipelines.engine.shards import Footer, any_footer, iter_rows, read_footer, read_rows, side_path
from pipelines.engine.stage import require_same
from pipelines.engine.workspace import Workspace
from pipelines.train.layouts import laid_out, seal_layout


@dataclass(frozen=True)
class StreamVectors:
    """Vectors of one stream of one split.

    Attributes:
        matrix: float16 [R, D], memory-mapped, raw vectors.
        index: int32 [M, N, k], the matrix row of each candidate frame of each clip, −1 where there is none. For the
            clip stream [M, 1, k], the row of each draw.
        whole_frame: share of frames whose hand crop is the full frame because no hand was found; None
            for the other streams.
        provenance: of the vectors, as their shards record it.
        fingerprint: digest of the shards that the vectors came from, and of the clips' ids.
    """

    matrix: np.ndarray
    index: np.ndarray
    whole_frame: float | None
    provenance: Mapping[str, Any]
    fingerprint: str

    @property
    def dim(self) -> int:
        """Width of a vector, D."""
        return int(self.matrix.shape[1])


def load_stream(
    workspace: Workspace,
    frames: DecodeStage,
    encoder_slug: str,
    stream_slug: str,
    clip_ids: Sequence[str],
    progress: Progress,
) -> StreamVectors:
    """Load the vectors of one stream, laying them out if needed.

    Raises:
        MissingUpstream: the embeddings, or some of their shards, are missing or out of date.
        InputError: the shards were not all made the same way.
    """
    folder = embedding_folder(workspace, frames, encoder_slug, stream_slug)
    shards, absent = decoded_shards(frames)
    if absent:
        raise MissingUpstream(f"{frames.folder}: {len(absent)} shards of frames are missing. Run {frames.command}")
    footers: dict[str, Footer] = {}
    made = any_footer(folder)
    spec = made.provenance.get("spec") if made else None
    for shard in shards:
        path = folder / shard.path.name
        command = embed_command(workspace, frames.dataset, frames.split, encoder_slug, spec)
        command += f" (for encoder {encoder_slug}, stream {stream_slug})"
        try:
            footers[shard.group] = read_footer(path)
        except (FileNotFoundError, InputError):
            raise MissingUpstream(f"{path}: no vectors of these frames. Run {command}") from None
        now = {"frames": shard.footer.digest, "clip_frames": shard.footer.sides["clip_frames"]}
        if any(now.get(name, made) != made for name, made in footers[shard.group].inputs.items()):
            raise MissingUpstream(f"{path}: made from other frames than are there now. Run {command}")
    require_same(f"vectors of {folder}", {str(folder / s.path.name): footers[s.group].provenance for s in shards})
    parts = [[s.group, footers[s.group].digest, s.footer.sides["clip_frames"]] for s in shards]
    fingerprint = digest_json([parts, list(clip_ids)])
    cache = workspace.cache("features", fingerprint[:32])
    facts = laid_out(cache)
    if facts is None:
        waiting = f"another process lays out {folder.relative_to(workspace.root)} for training; waiting for it"
        with exclusive_lock(cache, said_once(progress.note, waiting)):
            facts = laid_out(cache)
            if facts is None:
                progress.note(f"laying out {folder.relative_to(workspace.root)} for training")
                files = [(folder / s.path.name, side_path(s.path, "clip_frames")) for s in shards]
                facts = _lay_out(cache, files, clip_ids, frames.plan)
    matrix = np.load(cache / "matrix.npy", mmap_mode="r") if facts["rows"] else np.zeros((0, facts["dim"]), np.float16)
    hand = stream_slug.startswith("hand-") and facts["rows"]
    share = facts["whole_frame"] / facts["rows"] if hand else None
    provenance = footers[shards[0].group].provenance
    return StreamVectors(matrix, np.load(cache / "index.npy", mmap_mode="r"), share, provenance, fingerprint)


def require_width(streams: Mapping[str, StreamVectors], text_dim: int) -> None:
    """Refuse classified vectors of another width than the class names.

    Raises:
        InputError: their widths differ.
    """
    dim = streams["frames"].dim
    if dim != text_dim:
        raise InputError(
            f"the classified vectors have {dim} values, the class names {text_dim}: they are not of one encoder. "
            "Run the same xmic embed for both, with one --encoder."
        )


def embedding_folder(workspace: Workspace, frames: DecodeStage, encoder_slug: str, stream_slug: str) -> Path:
    """Return the folder of a stream's vectors."""
    return workspace.embeddings(frames.dataset, frames.split, frames.plan.slug, encoder_slug, stream_slug)


def _lay_out(
    cache: Path, parts: Sequence[tuple[Path, Path]], clip_ids: Sequence[str], plan: FramePlan
) -> dict[str, Any]:
    shutil.rmtree(cache, ignore_errors=True)
    cache.mkdir(parents=True)
    row_of = {clip_id: row for row, clip_id in enumerate(clip_ids)}
    clips = "draw" in pq.read_schema(parts[0][0]).names
    index = np.full((len(clip_ids), 1 if clips else plan.segments, plan.candidates), -1, np.int32)
    counts = [read_footer(path).rows for path, _ in parts]
    dim = vector_width(parts[0][0])
    matrix = np.lib.format.open_memmap(cache / "matrix.npy", "w+", np.float16, (max(1, sum(counts)), dim))
    base = whole = 0
    for (path, clip_frames), count in zip(parts, counts, strict=True):
        at = base
        for vectors in iter_rows(path, ["vector"]):
            flat = vectors.column("vector").combine_chunks().flatten().to_numpy(zero_copy_only=False)
            matrix[at : at + vectors.num_rows] = flat.reshape(-1, dim)
            at += vectors.num_rows
        rows = read_rows(path, ["clip_id", "draw"] if clips else ["video_id", "pts", "whole_frame"])
        if clips:
            _place_clips(index, rows, row_of, base)
        else:
            whole += int(np.count_nonzero(rows.column("whole_frame").to_numpy()))
            _place(index, read_rows(clip_frames), rows, row_of, base)
        base += count
    matrix.flush()
    np.save(cache / "index.npy", index)
    return seal_layout(cache, {"rows": base, "dim": dim, "whole_frame": whole})


def vector_width(path: Path) -> int:
    """Read the width D of the vectors in a shard."""
    import pyarrow.parquet as pq

    return int(pq.read_schema(path).field("vector").type.list_size)


def _place_clips(index: np.ndarray, rows: pa.Table, row_of: Mapping[str, int], base: int) -> None:
    """Write into ``index`` the matrix row of every draw of every clip."""
    clips = np.array([row_of.get(clip, -1) for clip in rows.column("clip_id").to_pylist()], np.int64)
    known = np.flatnonzero(clips >= 0)
    index[clips[known], 0, rows.column("draw").to_numpy()[known]] = base + known


def _place(index: np.ndarray, wanted: pa.Table, rows: pa.Table, row_of: Mapping[str, int], base: int) -> None:
    """Write into ``index`` the matrix row of every wanted (video, pts) that has a vector."""
    video_rank = {video: rank for rank, video in enumerate(sorted(set(wanted.column("video_id").to_pylist())))}
    have = np.array([video_rank.get(video, -1) for video in rows.column("video_id").to_pylist()], np.int64)
    key_type = np.dtype([("video", np.int64), ("pts", np.int64)])
    there = np.empty(len(have), key_type)
    there["video"], there["pts"] = have, rows.column("pts").to_numpy()
    order = np.argsort(there, order=("video", "pts"))
    asked = np.empty(wanted.num_rows, key_type)
    asked["video"] = [video_rank[video] for video in wanted.column("video_id").to_pylist()]
    asked["pts"] = wanted.column("pts").to_numpy()
    if not len(there) or not len(asked):
        return
    position = np.minimum(np.searchsorted(there[order], asked), len(there) - 1)
    hit = there[order][position] == asked
    clips = np.array([row_of.get(clip, -1) for clip in wanted.column("clip_id").to_pylist()], np.int64)
    hit &= clips >= 0
    segment, candidate = wanted.column("segment").to_numpy(), wanted.column("candidate").to_numpy()
    index[clips[hit], segment[hit], candidate[hit]] = base + order[position[hit]]
