"""``detect-hands``: raw hand (and object) boxes of every decoded frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from data_manifests.errors import InputError
from pipelines.decode.stage import Decoded, DecodeStage, decoded_shards, note_missing
from pipelines.environment import versions
from pipelines.hands.detector import Box, Detector, DetectorIdentity
from pipelines.hands.tables import HANDS_LAYOUT, SIDES
from pipelines.images import decode_ahead
from pipelines.progress import Progress
from pipelines.shards import Layout, ShardWriter, read_rows
from pipelines.stage import OpenShard, Unit

_BOXES_BYTES = 120


@dataclass
class HandsStage:
    """What all stages share that give one split's frames their boxes. See :class:`pipelines.stage.Stage`.

    Attributes:
        frames: the decode stage whose shards are read.
        identity: what the boxes come from, known without loading it.
    """

    frames: DecodeStage
    identity: DetectorIdentity

    name = "detect-hands"
    version = 2
    layout: Layout = field(default=HANDS_LAYOUT, init=False)
    sides: Mapping[str, Layout] = field(default_factory=lambda: SIDES, init=False)

    @property
    def of(self) -> str:
        """Dataset and split."""
        return self.frames.of

    @property
    def params(self) -> Mapping[str, Any]:
        """All that decides the boxes, but for the frames."""
        return dict(self.identity.provenance)

    @property
    def provenance(self) -> Mapping[str, Any]:
        """The detector and the plan."""
        return {"detector": self.identity.slug, **self.identity.provenance, "plan": self.frames.plan.slug}

    @property
    def folder(self) -> Path:
        """``hands/<dataset>/<split>/<plan>/<detector>``."""
        base = self.frames.workspace.root / "hands" / self.frames.dataset / self.frames.split
        return base / self.frames.plan.slug / self.identity.slug

    @property
    def command(self) -> str:
        """The command line that makes these shards."""
        return f"xmic detect-hands {self.frames.dataset} --split {self.frames.split} -w {self.frames.workspace.root}"

    def units(self) -> list[Unit]:
        """One unit a shard of frames."""
        return [
            Unit(
                shard.group,
                self.folder / shard.path.name,
                self.inputs_of(shard),
                shard.footer.rows,
                shard.footer.rows * _BOXES_BYTES,
                shard,
            )
            for shard in decoded_shards(self.frames)[0]
        ]

    def inputs_of(self, shard: Decoded) -> dict[str, str]:
        """What the boxes of a shard are made from."""
        return {"frames": shard.footer.digest}


@dataclass
class DetectHandsStage(HandsStage):
    """Boxes of one split's frames by one detector.

    Attributes:
        load: loads the detector; called once, and only when there is work.
        workers: threads that decode JPEGs.
    """

    load: Callable[[], Detector]
    workers: int = 1

    @property
    def environment(self) -> Mapping[str, Any]:
        """Versions and the batch shape."""
        return {
            **versions("torch", "torchvision", "ultralytics", "opencv-python", "numpy"),
            **self.identity.environment,
        }

    def make(self, units: Iterable[Unit], open_shard: OpenShard, progress: Progress) -> Iterator[Unit]:
        """Detect, frame rows in order."""
        note_missing(self.frames, decoded_shards(self.frames)[1], progress)
        detector: Detector | None = None
        for unit in units:
            detector = detector or self.load()
            with open_shard(unit) as shard:
                for rows in unit.payload.rows():
                    self._append(shard, detector, rows)
            yield unit

    def _append(self, shard: ShardWriter, detector: Detector, rows: pa.Table) -> None:
        keys = list(zip(rows.column("video_id").to_pylist(), rows.column("pts").to_pylist(), strict=True))
        pictures: list[Any] = []
        good: list[tuple[str, int]] = []
        for key, picture in zip(keys, decode_ahead(rows.column("jpeg"), self.workers), strict=True):
            if isinstance(picture, InputError):
                shard.fail("decode_error", str(picture), video_id=key[0], pts=key[1])
            else:
                pictures.append(picture)
                good.append(key)
        for (video_id, pts), boxes in zip(good, detector.detect(pictures), strict=True):
            shard.write([boxes_row(video_id, pts, boxes)])


def boxes_row(video_id: str, pts: int, boxes: Sequence[Box]) -> dict[str, Any]:
    """A row of :data:`pipelines.hands.tables.HANDS`."""
    return {"video_id": video_id, "pts": pts, "boxes": [vars(box) for box in boxes]}


def read_boxes(path: Path) -> dict[tuple[str, int], list[Box]]:
    """The boxes of a shard by (video_id, pts).

    Raises:
        DamagedShard: the shard is damaged on disk.
    """
    rows = read_rows(path).to_pylist()
    return {(row["video_id"], row["pts"]): [Box(**box) for box in row["boxes"]] for row in rows}
