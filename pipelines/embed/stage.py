"""``embed``: frames and hand crops to raw vectors of a frozen encoder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from data_manifests.errors import InputError, MissingUpstream
from pipelines.decode.stage import DecodeStage, decoded_shards, note_missing
from pipelines.embed.encoders.spec import EncoderIdentity
from pipelines.embed.tables import SIDES, frame_vectors
from pipelines.environment import versions
from pipelines.hands.crops import CropPolicy, crop, union_box
from pipelines.hands.stage import BoxesInStep
from pipelines.images import decode_ahead
from pipelines.progress import Progress
from pipelines.shards import Layout, ShardWriter, read_footer
from pipelines.stage import OpenShard, Unit

Stream = Literal["full", "hand", "clip"]


class LazyEncoder:
    """An encoder known by its identity, loaded at the first use and then kept."""

    def __init__(self, identity: EncoderIdentity, load: Callable[[], Any]) -> None:
        self.identity = identity
        self._load = load

    @cached_property
    def model(self) -> Any:
        """The loaded encoder."""
        return self._load()


@dataclass
class EmbedStage:
    """Vectors of one stream of one split by one encoder. See :class:`pipelines.stage.Stage`.

    Attributes:
        frames: the decode stage whose shards are read.
        encoder: identity and loader.
        hands: folder of the boxes to crop by (None for the full stream), and the detector's name.
        policy: how boxes become a crop.
    """

    frames: DecodeStage
    encoder: LazyEncoder
    hands: Path | None = None
    policy: CropPolicy | None = None
    workers: int = 1

    name = "embed"
    version = 1
    sides: Mapping[str, Layout] = field(default_factory=lambda: SIDES)

    @property
    def stream(self) -> Stream:
        """'hand' when there are boxes to crop by."""
        return "full" if self.hands is None else "hand"

    @property
    def stream_slug(self) -> str:
        """Folder name of the stream: ``full`` or ``hand-<detector>-<crop>``."""
        if self.hands is None or self.policy is None:
            return "full"
        return f"hand-{self.hands.name}-{self.policy.slug}"

    @property
    def of(self) -> str:
        """Dataset, split and stream."""
        return f"{self.frames.of} {self.stream}"

    @property
    def params(self) -> Mapping[str, Any]:
        """The encoder's provenance and the crop."""
        return {
            **self.encoder.identity.provenance,
            "stream": self.stream,
            "crop": self.policy.slug if self.policy and self.hands else None,
        }

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Encoder, preprocessing, precision, stream, plan, detector and crop; ``normalised`` is False."""
        return {
            **self.params,
            "encoder": self.encoder.identity.slug,
            "detector": self.hands.name if self.hands else None,
            "plan": self.frames.plan.slug,
        }

    @property
    def environment(self) -> Mapping[str, Any]:
        """Versions, device and batch shape."""
        return {
            **versions("torch", "open_clip_torch", "timm", "pillow", "numpy"),
            **self.encoder.identity.environment,
        }

    @property
    def layout(self) -> Layout:
        """Needs the encoder's width, so it loads the encoder."""
        return frame_vectors(self.encoder.model.dim)

    @property
    def folder(self) -> Path:
        """``embeddings/<dataset>/<split>/<plan>/<encoder>/<stream>``."""
        frames = self.frames
        base = frames.workspace.root / "embeddings" / frames.dataset / frames.split / frames.plan.slug
        return base / self.encoder.identity.slug / self.stream_slug

    @property
    def command(self) -> str:
        """The command line that makes these shards."""
        spec = self.encoder.identity.provenance["spec"]
        where = f"{self.frames.dataset} --split {self.frames.split} -w {self.frames.workspace.root}"
        return f"xmic embed {where} --encoder {spec} --streams {self.stream}"

    def units(self) -> list[Unit]:
        """One unit a shard of frames (whose boxes, for the hand stream, must be there)."""
        units = []
        for shard in decoded_shards(self.frames)[0]:
            inputs = {"frames": shard.footer.digest}
            if self.hands is not None:
                try:
                    inputs["hands"] = read_footer(self.hands / shard.path.name).digest
                except (FileNotFoundError, InputError):
                    raise MissingUpstream(
                        f"{self.hands / shard.path.name}: no hand boxes for these frames. Run xmic detect-hands "
                        f"{self.frames.dataset} --split {self.frames.split} -w {self.frames.workspace.root}, "
                        "or embed without hands: --streams full"
                    ) from None
            size = shard.footer.rows * (2 * 1024 + 40)
            units.append(Unit(shard.group, self.folder / shard.path.name, inputs, shard.footer.rows, size, shard))
        return units

    def make(self, units: Iterable[Unit], open_shard: OpenShard, progress: Progress) -> Iterator[Unit]:
        """Embed, frame rows in order, in batches of one fixed shape."""
        note_missing(self.frames, decoded_shards(self.frames)[1], progress)
        for unit in units:
            boxes = BoxesInStep(self.hands / unit.path.name) if self.hands is not None else None
            with open_shard(unit) as shard:
                for rows in unit.payload.rows():
                    self._append(shard, rows, boxes)
                if boxes is not None:
                    boxes.finish()
            yield unit

    def _append(self, shard: ShardWriter, rows: pa.Table, boxes: BoxesInStep | None) -> None:
        model = self.encoder.model
        keys: list[tuple[str, int]] = []
        whole: list[bool] = []
        inputs: list[Any] = []
        pictures = decode_ahead(rows.column("jpeg"), self.workers)
        names = zip(rows.column("video_id").to_pylist(), rows.column("pts").to_pylist(), strict=True)
        for key, picture in zip(names, pictures, strict=True):
            of_frame = boxes.of(key) if boxes is not None else None
            if isinstance(picture, InputError):
                shard.fail("decode_error", str(picture), video_id=key[0], pts=key[1])
                continue
            box = None
            if boxes is not None and self.policy is not None:
                if of_frame is None:
                    shard.fail("no_boxes", "hand detection failed on this frame", video_id=key[0], pts=key[1])
                    continue
                height, width = picture.shape[:2]
                box = union_box(of_frame, self.policy, width, height)
                picture = crop(picture, box, self.policy)
            keys.append(key)
            whole.append(boxes is not None and box is None)
            inputs.append(model.preprocess(picture))
        if not keys:
            return
        stored, finite = in_float16(model.embed(inputs))
        for index in np.flatnonzero(~finite):
            video_id, pts = keys[index]
            shard.fail("not_finite", "the vector does not fit in float16", video_id=video_id, pts=pts)
        kept = np.flatnonzero(finite)
        shard.write(_vector_table(keys, whole, stored, kept, shard_schema=self.layout.schema))


def in_float16(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vectors [n, D] as they are stored, and which of them are finite then, bool [n]."""
    with np.errstate(over="ignore"):
        stored = vectors.astype(np.float16)
    return stored, np.asarray(np.isfinite(stored).all(axis=1))


def _vector_table(
    keys: list[tuple[str, int]],
    whole: list[bool],
    vectors: np.ndarray,
    kept: np.ndarray,
    shard_schema: pa.Schema,
) -> pa.Table:
    flat = pa.array(vectors[kept].reshape(-1), pa.float16())
    return pa.table(
        {
            "video_id": [keys[i][0] for i in kept],
            "pts": [keys[i][1] for i in kept],
            "whole_frame": [whole[i] for i in kept],
            "vector": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
        },
        schema=shard_schema,
    )
