"""Read the pictures of a stream, for methods that train on pixels.

A row of a stream's matrix is one frame, and its picture is read by the same row. So a method that takes pixels gets
the frames that the other methods get vectors of. The JPEG bytes are laid out once, one behind the other, under
``cache/pixels/``: reading single frames from Parquet would also read the 64 around each of them. The layout takes as
much room as the frames and can be deleted at any time.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from data_manifests.errors import InputError, MissingUpstream, UsageError
from pipelines.decode.encode_jpeg import from_jpeg
from pipelines.decode.stage import Decoded, DecodeStage, decoded_shards
from pipelines.engine.digest import digest_json
from pipelines.engine.locks import exclusive_lock, said_once
from pipelines.engine.progress import Progress
from pipelines.engine.shards import Footer, read_footer, read_rows
from pipelines.hands.crops import CropPolicy, crop, union_box
from pipelines.hands.stage import detect_command, read_boxes
from pipelines.train.backbone import Towers
from pipelines.train.features import StreamVectors, embedding_folder
from pipelines.train.layouts import laid_out, seal_layout
from pipelines.train.protocol import Protocol

_KEY = ("video_id", "pts")


@dataclass(frozen=True)
class Pictures:
    """Full frames or hand crops that a stream's vectors were made of.

    Attributes:
        jpegs: uint8, memory-mapped, JPEG files one behind the other.
        spans: int64 [R, 2], first byte and length of the JPEG of each of the stream's rows.
        boxes: float32 [R, 4], the normalised box x0, y0, x1, y1 of each crop; NaN for the whole frame. None for the
            full stream.
        policy: how a box becomes a crop.
        prepare: uint8 [H, W, 3] → uint8 [3, S, S], the encoder's resize and crop before it normalises.
        size: S, pixels.
        workers: threads that decode.
    """

    jpegs: np.ndarray
    spans: np.ndarray
    boxes: np.ndarray | None
    policy: CropPolicy | None
    prepare: Callable[[np.ndarray], np.ndarray]
    size: int
    workers: int

    def read(self, rows: np.ndarray) -> Tensor:
        """Read the pictures of rows.

        Args:
            rows: of the stream's matrix, of any shape [...].

        Returns:
            uint8 [..., 3, S, S].

        Raises:
            InputError: a JPEG is damaged.
        """
        found = np.empty((rows.size, 3, self.size, self.size), np.uint8)

        def put(place: int, row: int) -> None:
            found[place] = self._picture(row)

        with ThreadPoolExecutor(max(1, self.workers)) as pool:
            list(pool.map(put, range(rows.size), rows.reshape(-1).tolist()))
        return torch.from_numpy(found.reshape(*rows.shape, *found.shape[1:]))

    def _picture(self, row: int) -> np.ndarray:
        first, length = self.spans[row]
        picture = from_jpeg(self.jpegs[first : first + length].tobytes())
        if self.boxes is not None and self.policy is not None and not np.isnan(self.boxes[row, 0]):
            x0, y0, x1, y1 = map(float, self.boxes[row])
            picture = crop(picture, (x0, y0, x1, y1), self.policy)
        return self.prepare(picture)


def load_pictures(
    frames: DecodeStage,
    protocol: Protocol,
    streams: Mapping[str, StreamVectors],
    towers: Towers,
    workers: int,
    progress: Progress,
) -> Pictures | None:
    """Load the pictures of the classified stream, laying them out if needed.

    Args:
        frames: the decode stage whose shards the vectors were made from.
        protocol: names the classified stream.
        streams: role → vectors; the pictures have the rows of 'frames'.
        towers: with an image tower and its preprocessing if the method takes pixels.
        workers: threads that decode.
        progress: receives a note when the pictures are laid out.

    Returns:
        None if there is no image tower.

    Raises:
        UsageError: clip vectors are classified; a clip vector is not of one picture.
        MissingUpstream: the frames or the boxes are missing, or are others than the vectors were made from.
    """
    if towers.visual is None or towers.picture is None:
        return None
    stream = streams["frames"]
    encoder_slug, stream_slug = protocol.needed["frames"]
    if stream_slug == "clip":
        raise UsageError("--classify clip: this method looks at frames. Choose --classify full or hand.")
    workspace = frames.workspace
    shards, absent = decoded_shards(frames)
    if absent:
        raise MissingUpstream(f"{frames.folder}: {len(absent)} shards of frames are missing. Run {frames.command}")
    folder = embedding_folder(workspace, frames, encoder_slug, stream_slug)
    footers = {shard.group: read_footer(folder / shard.path.name) for shard in shards}
    hand = stream_slug != "full"
    detector, slug = stream.provenance["detector"], stream.provenance["crop"]
    policy = CropPolicy.of_slug(slug) if hand else None
    boxes = workspace.hands(frames.dataset, frames.split, frames.plan.slug, str(detector))
    if hand:
        _check_boxes(frames, boxes, shards, footers)
    parts = [[s.group, s.footer.digest, footers[s.group].inputs.get("hands")] for s in shards]
    cache = workspace.cache("pixels", digest_json([stream.fingerprint, parts, slug])[:32])
    if laid_out(cache) is None:
        waiting = f"another process lays out {frames.folder.relative_to(workspace.root)}; waiting for it"
        with exclusive_lock(cache, said_once(progress.note, waiting)):
            if laid_out(cache) is None:
                progress.note(f"laying out {frames.folder.relative_to(workspace.root)} for training on pictures")
                _lay_out(cache, shards, folder, boxes, policy)
    file = cache / "jpegs.bin"
    jpegs = np.memmap(file, mode="r") if file.stat().st_size else np.zeros(0, np.uint8)
    own = np.load(cache / "boxes.npy", mmap_mode="r") if hand else None
    spans = np.load(cache / "spans.npy", mmap_mode="r")
    return Pictures(jpegs, spans, own, policy, towers.picture, towers.visual.size, workers)


def _check_boxes(frames: DecodeStage, boxes: Path, shards: list[Decoded], footers: Mapping[str, Footer]) -> None:
    command = detect_command(frames)
    for shard in shards:
        path = boxes / shard.path.name
        try:
            found = read_footer(path).digest
        except (FileNotFoundError, InputError):
            raise MissingUpstream(f"{path}: no hand boxes to cut the pictures by. Run {command}") from None
        if found != footers[shard.group].inputs.get("hands"):
            raise MissingUpstream(
                f"{path}: other boxes than the vectors were made with. Run the same xmic embed again."
            )


def _lay_out(cache: Path, shards: list[Decoded], folder: Path, boxes: Path, policy: CropPolicy | None) -> None:
    shutil.rmtree(cache, ignore_errors=True)
    cache.mkdir(parents=True)
    spans: list[np.ndarray] = []
    corners: list[np.ndarray] = []
    written = 0
    with (cache / "jpegs.bin").open("wb") as file:
        for shard in shards:
            row_of = {key: row for row, key in enumerate(_keys_of(read_rows(folder / shard.path.name, _KEY)))}
            own = np.full((len(row_of), 2), -1, np.int64)
            cut = np.full((len(row_of), 4), np.nan, np.float32)
            found = read_boxes(boxes / shard.path.name) if policy is not None else {}
            for rows in shard.rows():
                facts = zip(*(rows.column(name).to_pylist() for name in ("jpeg", "width", "height")), strict=True)
                for key, (data, width, height) in zip(_keys_of(rows), facts, strict=True):
                    row = row_of.get(key)
                    if row is None:
                        continue
                    own[row] = written, file.write(data)
                    written += len(data)
                    box = union_box(found[key], policy, width, height) if policy is not None else None
                    if box is not None:
                        cut[row] = box
            spans.append(own)
            corners.append(cut)
    np.save(cache / "spans.npy", np.concatenate(spans))
    if policy is not None:
        np.save(cache / "boxes.npy", np.concatenate(corners))
    seal_layout(cache, {"rows": sum(map(len, spans)), "bytes": written})


def _keys_of(rows: pa.Table) -> list[tuple[str, int]]:
    return list(zip(rows.column("video_id").to_pylist(), rows.column("pts").to_pylist(), strict=True))
