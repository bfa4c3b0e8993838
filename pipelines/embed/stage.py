"""Run ``embed`` on frames and hand crops: raw vectors of an encoder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa

from data_manifests.errors import InputError
from pipelines.decode.stage import Decoded, DecodeStage, decoded_shards, lacking_frames
from pipelines.decode.stored_frames import picture_of, prefetch, stored
from pipelines.embed.batch_size import found_batch_size
from pipelines.embed.encoders.spec import EncoderIdentity, embed_command
from pipelines.embed.full_vectors import FullVectors
from pipelines.embed.tables import SIDES, frame_vectors
from pipelines.engine.batches import (
    About,
    BatchTooLarge,
    Failed,
    Known,
    batch_size,
    begun_by,
    in_begun_batches,
    in_pieces,
    with_batch_size,
)
from pipelines.engine.environment import cpu_capability, versions
from pipelines.engine.inspection import State, inspect
from pipelines.engine.progress import Progress
from pipelines.engine.shard_writer import ShardWriter
from pipelines.engine.shards import Layout, read_footer
from pipelines.engine.stage import OpenShard, Unit
from pipelines.hands.crops import CropPolicy, crop, has_hand, union_box
from pipelines.hands.detector import Box
from pipelines.hands.stage import BoxesInStep, detect_command

Stream = Literal["full", "hand", "clip"]


class LazyEncoder:
    """Encoder that is loaded at its first use and then kept.

    Its identity is known before, but for the batch size where that follows from the device's memory. It is pickled
    without its network.

    Args:
        identity: the identity.
        load: loads the encoder.
        finds: find a batch size when it is loaded, see :func:`pipelines.embed.batch_size.found_batch_size`.
        shrinks: halve the batch size where a batch does not fit into memory.
    """

    def __init__(
        self, identity: EncoderIdentity, load: Callable[[], Any], *, finds: bool = False, shrinks: bool = False
    ) -> None:
        self.identity = identity
        self._load, self._finds, self._shrinks = load, finds, shrinks

    @cached_property
    def model(self) -> Any:
        """The loaded encoder."""
        model = self._load()
        if self._finds and hasattr(model, "pictures_per_second"):  # a user's own encoder may have no such method
            self._set_batch_size(model, found_batch_size(model.pictures_per_second, self._known_size))
        return model

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "model"}

    @property
    def batch_size(self) -> int:
        """Pictures per forward pass.

        It loads the encoder where the size is to be found.
        """
        if self._finds:
            _ = self.model
        return self._known_size

    def halve_batch(self) -> bool:
        """Halve the batch size; return False where it is fixed or 1."""
        if not self._shrinks or self._known_size == 1 or not hasattr(self.model, "set_batch_size"):
            return False
        self._set_batch_size(self.model, self._known_size // 2)
        return True

    @property
    def _known_size(self) -> int:
        return batch_size(self.identity.environment)

    def _set_batch_size(self, model: Any, size: int) -> None:
        model.set_batch_size(size)
        self.identity = replace(self.identity, environment=with_batch_size(self.identity.environment, size))


@dataclass
class EmbedStage:
    """Stage that embeds one stream of one split by one encoder.

    See :class:`pipelines.engine.stage.Stage`.

    Attributes:
        frames: the decode stage whose shards are read.
        encoder: identity and loader.
        hands: folder of the boxes to crop by, with the detector's name; None for the full stream.
        policy: how boxes become a crop.
        workers: threads that decode, crop and preprocess frames while the network runs.
    """

    frames: DecodeStage
    encoder: LazyEncoder
    hands: Path | None = None
    policy: CropPolicy | None = None
    workers: int = 1

    name = "embed"
    counted = "frames"
    version = 1
    sides: Mapping[str, Layout] = field(default_factory=lambda: SIDES)

    @property
    def stream(self) -> Stream:
        """Stream of these vectors: ``hand`` if there are boxes, else ``full``."""
        return "full" if self.hands is None else "hand"

    @property
    def stream_slug(self) -> str:
        """Folder name of the stream: ``full`` or ``hand-<detector>-<crop>``."""
        if self.hands is None or self.policy is None:
            return "full"
        return f"hand-{self.hands.name}-{self.policy.slug}"

    @property
    def title(self) -> str:
        """Dataset, split and stream."""
        return f"{self.frames.title} {self.stream}"

    @property
    def params(self) -> Mapping[str, Any]:
        """Parameters of the vectors: the encoder's provenance, stream and crop."""
        return {
            **self.encoder.identity.provenance,
            "stream": self.stream,
            "crop": self.policy.slug if self.policy and self.hands else None,
        }

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Provenance: encoder, preprocessing, precision, stream, plan, detector and crop.

        ``normalised`` is False.
        """
        return {
            **self.params,
            "encoder": self.encoder.identity.slug,
            "detector": self.hands.name if self.hands else None,
            "plan": self.frames.plan.slug,
        }

    @property
    def environment(self) -> Mapping[str, Any]:
        """Versions of the libraries, CPU capability, device and batch shape."""
        return {
            **versions("torch", "open_clip_torch", "timm", "pillow", "numpy"),
            "cpu_capability": cpu_capability(),
            **self.encoder.identity.environment,
        }

    @property
    def layout(self) -> Layout:
        """Layout of the shards; loads the encoder to know its width."""
        return frame_vectors(self.encoder.model.dim)

    @property
    def folder(self) -> Path:
        """Folder of the shards: ``embeddings/<dataset>/<split>/<plan>/<encoder>/<stream>``."""
        frames = self.frames
        slug = self.encoder.identity.slug
        return frames.workspace.embeddings(frames.dataset, frames.split, frames.plan.slug, slug, self.stream_slug)

    @property
    def command(self) -> str:
        """Command line that makes these shards."""
        frames, identity = self.frames, self.encoder.identity
        spec = identity.provenance["spec"]
        return embed_command(frames.workspace, frames.dataset, frames.split, identity.slug, spec, **self.asked_for)

    @property
    def asked_for(self) -> dict[str, Any]:
        """Options of ``xmic embed`` that ask for this stream."""
        return {"streams": self.stream}

    def units(self) -> list[Unit]:
        """List the units: one per shard of frames.

        A unit of the hand stream whose boxes are not there yet lacks them.
        """
        decoded, missing = decoded_shards(self.frames)
        units = []
        for shard in decoded:
            inputs, lacks = {"frames": shard.footer.digest}, ""
            if self.hands is not None:
                try:
                    inputs["hands"] = read_footer(self.hands / shard.path.name).digest
                except (FileNotFoundError, InputError):
                    without = "(or embed without hands: --streams full)"
                    lacks = f"the hand boxes of its frames: run {detect_command(self.frames)} {without}"
            size = shard.footer.rows * (2 * 1024 + 40)
            path = self.folder / shard.path.name
            units.append(Unit(shard.group, path, inputs, shard.footer.rows, size, shard, lacks))
        return units + lacking_frames(self.frames, missing, self.folder)

    def make(self, units: Iterable[Unit], open_shard: OpenShard, progress: Progress) -> Iterator[Unit]:
        """Embed the frames of each shard in order and write their vectors.

        Batches have one fixed shape and cross the row groups of a shard.
        """
        for unit in units:
            with_smaller_batches(self.encoder, partial(self._embed, unit, open_shard, progress), progress)
            yield unit

    def _embed(self, unit: Unit, open_shard: OpenShard, progress: Progress) -> None:
        _ = self.encoder.batch_size  # it is part of the environment, which the shard and the full stream are opened by
        boxes = BoxesInStep(self.hands / unit.path.name) if self.hands is not None else None
        full = self._full_vectors(unit) if self.hands is not None else None
        with open_shard(unit) as shard:
            for rows in in_pieces(self._vectors(unit.payload, boxes, full)):
                self._write(shard, rows)
                progress.advance(len(rows))
            if boxes is not None:
                boxes.finish()

    def _full_vectors(self, unit: Unit) -> FullVectors | None:
        """Open the full stream's vectors of the same frames, where they are what this stage would compute.

        A frame without a hand is embedded whole: by the same encoder, machine and batch shape that gives the same bits.
        """
        full = replace(self, hands=None, policy=None)
        frames = {"frames": unit.inputs["frames"]}
        found = inspect(full, Unit(unit.group, full.folder / unit.path.name, frames))
        if found.state is not State.DONE or found.footer is None or found.footer.environment != self.environment:
            return None
        return FullVectors(found.unit.path)

    def _vectors(
        self, frames: Decoded, boxes: BoxesInStep | None, full: FullVectors | None
    ) -> Iterator[tuple[_Frame, np.ndarray | Failed]]:
        model, size = self.encoder.model, self.encoder.batch_size
        rows = (
            _Row(*key, jpeg, boxes.of(key) if boxes is not None else None, full.of(key) if full is not None else None)
            for key, jpeg in stored(frames.rows())
        )
        prepared = prefetch(rows, self._prepared, self.workers, size)
        return in_begun_batches(prepared, size, *begun_by(model, "embed"))

    def _prepared(self, row: _Row) -> tuple[_Frame, Any | Failed | Known]:
        video_id, pts, jpeg, boxes, whole = row
        frame = _Frame(video_id, pts, whole_frame=self.hands is not None)
        if whole is not None and boxes is not None and self.policy is not None and not has_hand(boxes, self.policy):
            return frame, Known(whole)  # the full stream has decoded this frame
        picture = picture_of(jpeg)
        if isinstance(picture, Failed):
            return frame, picture
        if self.hands is not None and self.policy is not None:
            if boxes is None:
                return frame, Failed("no_boxes", "hand detection failed on this frame")
            height, width = picture.shape[:2]
            box = union_box(boxes, self.policy, width, height)
            picture, frame = crop(picture, box, self.policy), frame._replace(whole_frame=box is None)
            if box is None and whole is not None:
                return frame, Known(whole)
        return frame, self.encoder.model.preprocess(picture)

    def _write(self, shard: ShardWriter, rows: Sequence[tuple[_Frame, np.ndarray | Failed]]) -> None:
        frames, vectors = storable(shard, rows, lambda frame: {"video_id": frame.video_id, "pts": frame.pts})
        if frames:
            columns = {name: [getattr(frame, name) for frame in frames] for name in _Frame._fields}
            shard.write(pa.table({**columns, "vector": vector_column(vectors)}, schema=self.layout.schema))


def with_smaller_batches(encoder: LazyEncoder, make: Callable[[], None], progress: Progress) -> None:
    """Make a shard, with smaller batches where they do not fit.

    Args:
        encoder: whose batch size is halved, unless it is fixed.
        make: makes the shard from its start.
        progress: receives a note.

    Raises:
        BatchTooLarge: the batch size is fixed or 1.
    """
    while True:
        try:
            make()
            return
        except BatchTooLarge:
            before = encoder.batch_size
            if not encoder.halve_batch():
                raise
            progress.note(
                f"{before} pictures a forward pass do not fit into the device's memory; the shard is made again with "
                f"{encoder.batch_size}"
            )


class _Row(NamedTuple):
    video_id: str
    pts: int
    jpeg: bytes
    boxes: list[Box] | None
    whole: np.ndarray | None


class _Frame(NamedTuple):
    video_id: str
    pts: int
    whole_frame: bool


def storable(
    shard: ShardWriter, rows: Sequence[tuple[About, np.ndarray | Failed]], name: Callable[[About], dict[str, Any]]
) -> tuple[list[About], np.ndarray]:
    """Convert vectors to float16 and record the rows that fail.

    Args:
        shard: receives the failures.
        rows: the frame or draw of each row, with its raw vector, float32 [D], or its failure.
        name: returns the columns by which a failure names a row.

    Returns:
        The frames or draws of the good rows, and their vectors, float16 [n, D].
    """
    for about, vector in rows:
        if isinstance(vector, Failed):
            shard.fail(vector.reason, vector.error, **name(about))
    made = [(about, vector) for about, vector in rows if not isinstance(vector, Failed)]
    if not made:
        return [], np.zeros((0, 0), np.float16)
    with np.errstate(over="ignore"):
        vectors = np.stack([vector for _, vector in made]).astype(np.float16)
    finite = np.isfinite(vectors).all(axis=1)
    for index in np.flatnonzero(~finite):
        shard.fail("not_finite", "the vector does not fit in float16", **name(made[index][0]))
    return [made[index][0] for index in np.flatnonzero(finite)], vectors[finite]


def vector_column(vectors: np.ndarray) -> pa.FixedSizeListArray:
    """Make a column of vectors, float16 [n, D]."""
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1), pa.float16()), vectors.shape[1])
