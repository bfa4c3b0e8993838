"""Run ``detect-hands``: raw hand and object boxes of every decoded frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from data_manifests.errors import InputError
from pipelines.decode.stage import Decoded, DecodeStage, decoded_shards, lacking_frames
from pipelines.decode.stored_frames import picture_of, prefetch, stored
from pipelines.engine.batches import Failed, batch_size, begun_by, in_begun_batches, in_pieces
from pipelines.engine.command_lines import command_line
from pipelines.engine.environment import versions
from pipelines.engine.progress import Progress
from pipelines.engine.shard_writer import ShardWriter
from pipelines.engine.shards import Layout, iter_rows
from pipelines.engine.stage import OpenShard, Unit
from pipelines.hands.detector import Box, Detector, DetectorIdentity
from pipelines.hands.options import HandsOptions
from pipelines.hands.tables import HANDS_LAYOUT, SIDES

_BOXES_BYTES = 120
_ROWS_AT_ONCE = 64

FrameKey = tuple[str, int]
"""Key of a frame: video_id and pts."""


def detect_command(frames: DecodeStage, options: HandsOptions | None = None) -> str:
    """Write the command line that gives a split's frames their boxes."""
    return command_line("detect-hands", options, frames.dataset, split=frames.split, root=frames.workspace.root)


@dataclass
class HandsStage:
    """Common part of the stages that give one split's frames boxes.

    It is a :class:`pipelines.engine.stage.Stage`.

    Attributes:
        frames: the decode stage whose shards are read.
        identity: identity of the detector or source, known without loading it.
    """

    frames: DecodeStage
    identity: DetectorIdentity

    name = "detect-hands"
    counted = "frames"
    version = 2
    layout: Layout = field(default=HANDS_LAYOUT, init=False)
    sides: Mapping[str, Layout] = field(default_factory=lambda: SIDES, init=False)

    @property
    def title(self) -> str:
        """Dataset and split."""
        return self.frames.title

    @property
    def params(self) -> Mapping[str, Any]:
        """Everything that decides the boxes, except the frames."""
        return dict(self.identity.provenance)

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Provenance of the boxes: the detector and the frame plan."""
        return {"detector": self.identity.slug, **self.identity.provenance, "plan": self.frames.plan.slug}

    @property
    def folder(self) -> Path:
        """Folder of the shards: ``hands/<dataset>/<split>/<plan>/<detector>``."""
        frames = self.frames
        return frames.workspace.hands(frames.dataset, frames.split, frames.plan.slug, self.identity.slug)

    @property
    def command(self) -> str:
        """Command line that makes these shards."""
        return detect_command(self.frames)

    def units(self) -> list[Unit]:
        """List the units: one per shard of frames."""
        decoded, missing = decoded_shards(self.frames)
        units = [
            Unit(
                shard.group,
                self.folder / shard.path.name,
                self.inputs_of(shard),
                shard.footer.rows,
                shard.footer.rows * _BOXES_BYTES,
                shard,
            )
            for shard in decoded
        ]
        return units + lacking_frames(self.frames, missing, self.folder)

    def inputs_of(self, shard: Decoded) -> dict[str, str]:
        """Return the digests of the inputs of a shard's boxes."""
        return {"frames": shard.footer.digest}


class LazyDetector:
    """Detector that is loaded at its first call and then kept.

    It is pickled without its network.
    """

    def __init__(self, load: Callable[[], Detector]) -> None:
        self._load = load

    def __call__(self) -> Detector:
        """Return the loaded detector."""
        return self._detector

    @cached_property
    def _detector(self) -> Detector:
        return self._load()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_detector"}


@dataclass
class DetectHandsStage(HandsStage):
    """Stage that detects the boxes of one split's frames.

    Attributes:
        load: loads the detector; called once, and only when there is work.
        workers: threads that decode JPEGs.
    """

    load: Callable[[], Detector]
    workers: int = 1

    @property
    def environment(self) -> Mapping[str, Any]:
        """Versions of the libraries, and the batch shape."""
        return {
            **versions("torch", "torchvision", "ultralytics", "opencv-python", "numpy"),
            **self.identity.environment,
        }

    def make(self, units: Iterable[Unit], open_shard: OpenShard, progress: Progress) -> Iterator[Unit]:
        """Detect the boxes of all frames and write them.

        Frame rows are taken in order, in batches of one fixed shape. A batch may span two row groups of a shard.
        """
        detector: Detector | None = None
        for unit in units:
            detector = detector or self.load()
            with open_shard(unit) as shard:
                # Whole pictures are large and quickly decoded: no second batch of them waits while one is looked at.
                pictures = prefetch(stored(unit.payload.rows()), _picture, self.workers)
                size = batch_size(self.identity.environment)
                for rows in in_pieces(in_begun_batches(pictures, size, *begun_by(detector, "detect"))):
                    _write(shard, rows)
                    progress.advance(len(rows))
            yield unit


def _picture(frame: tuple[FrameKey, bytes]) -> tuple[FrameKey, np.ndarray | Failed]:
    key, jpeg = frame
    return key, picture_of(jpeg)


def _write(shard: ShardWriter, rows: Iterable[tuple[FrameKey, list[Box] | Failed]]) -> None:
    found = []
    for (video_id, pts), boxes in rows:
        if isinstance(boxes, Failed):
            shard.fail(boxes.reason, boxes.error, video_id=video_id, pts=pts)
        else:
            found.append(boxes_row(video_id, pts, boxes))
    shard.write(found)


def boxes_row(video_id: str, pts: int, boxes: Sequence[Box]) -> dict[str, Any]:
    """Make a row of :data:`pipelines.hands.tables.HANDS`."""
    return {"video_id": video_id, "pts": pts, "boxes": [vars(box) for box in boxes]}


def read_boxes(path: Path) -> dict[tuple[str, int], list[Box]]:
    """Read the boxes of a shard, by (video_id, pts).

    Raises:
        DamagedShard: the shard is damaged on disk.
    """
    return dict(boxes_in_order(path))


def boxes_in_order(path: Path) -> Iterator[tuple[FrameKey, list[Box]]]:
    """Read the boxes of a shard in the order of its frames.

    Few rows are in memory at a time.

    Yields:
        (video_id, pts) and the boxes of that frame.

    Raises:
        DamagedShard: the shard is damaged on disk.
    """
    for rows in iter_rows(path):
        for batch in rows.to_batches(max_chunksize=_ROWS_AT_ONCE):
            for row in batch.to_pylist():
                yield (row["video_id"], row["pts"]), [Box(**box) for box in row["boxes"]]


class BoxesInStep:
    """Boxes of a shard, read in step with its frames.

    Args:
        path: the shard of boxes.

    Raises:
        DamagedShard: the shard is damaged on disk; its methods raise this too.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows = boxes_in_order(path)
        self._next = next(self._rows, None)

    def of(self, key: FrameKey) -> list[Box] | None:
        """Return the boxes of the next frame.

        Every frame must be asked for in order, even where its boxes are not needed. None where the frame has no row.
        """
        if self._next is None or self._next[0] != key:
            return None
        boxes = self._next[1]
        self._next = next(self._rows, None)
        return boxes

    def finish(self) -> None:
        """Check after the last frame that no boxes are left.

        Raises:
            InputError: boxes are left over: they are of other frames, or in another order.
        """
        if self._next is not None:
            video_id, pts = self._next[0]
            raise InputError(
                f"{self._path}: its boxes of {video_id}, pts {pts}, are of no frame or not in their order. Delete the "
                "file and run xmic detect-hands again."
            )
