"""Follow what a model saw in a video, boxes and crops."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.decode.stage import decoded_shards
from pipelines.decode.stored_frames import picture_of, stored
from pipelines.embed.stage import LazyEncoder
from pipelines.engine.batches import Failed
from pipelines.hands.crops import Corners, CropPolicy, crop, union_box
from pipelines.hands.detector import Box
from pipelines.hands.stage import BoxesInStep
from pipelines.predict.run import EmbeddedFootage


@dataclass(frozen=True, eq=False)
class Seen:
    """Picture that the encoder got of a sampled frame.

    Attributes:
        boxes: the boxes that count for the crop.
        crop: the crop, as shares of the frame's sides; None for the whole frame.
        picture: uint8 [S, S', 3], after the encoder's own resizing and cutting where it can show it.
        caption: what it is.
    """

    boxes: list[Box]
    crop: Corners | None
    picture: np.ndarray
    caption: str


class SeenInTime:
    """Sampled frames of a video, read in the order of time.

    Args:
        footage: the videos.
        video_id: the video.
    """

    def __init__(self, footage: EmbeddedFootage, video_id: str) -> None:
        self._footage, self._policy = footage, footage.policy or CropPolicy()
        self._rows = _frames_of(footage, video_id)
        self._now: tuple[bytes, list[Box]] | Seen | None = None
        self._next = next(self._rows, None)

    def at(self, pts: int) -> Seen | None:
        """Return the last sampled frame up to ``pts``, which must not decrease."""
        while self._next is not None and self._next[0] <= pts:
            self._now = self._next[1:]
            self._next = next(self._rows, None)
        if isinstance(self._now, tuple):
            self._now = self._look(*self._now)
        return self._now

    def _look(self, jpeg: bytes, boxes: list[Box]) -> Seen | None:
        frame = picture_of(jpeg)
        if isinstance(frame, Failed):
            return None
        height, width = frame.shape[:2]
        if self._footage.hands is None:
            return Seen([], None, _as_encoded(self._footage.encoder, frame), "whole frame")
        policy = self._policy
        least = {"hand": policy.hand_threshold, "object": policy.object_threshold}
        union = union_box(boxes, policy, width, height)
        seen = _as_encoded(self._footage.encoder, crop(frame, union, policy))
        shown = [box for box in boxes if box.score >= least[box.kind]]
        if union is None:
            return Seen(shown, None, seen, "no hand found")
        return Seen(shown, _with_margin(union, policy, width, height), seen, "crop")


def _as_encoded(encoder: LazyEncoder, picture: np.ndarray) -> np.ndarray:
    """Resize and cut a picture as the encoder does; an encoder that cannot show it gets the square in the middle."""
    show = getattr(encoder.model, "picture", None)
    if show is not None:
        return np.ascontiguousarray(show(picture).transpose(1, 2, 0))
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]


def _with_margin(union: Corners, policy: CropPolicy, width: int, height: int) -> Corners:
    x0, y0, x1, y1 = union
    margin = policy.margin * max((x1 - x0) * width, (y1 - y0) * height)
    across, down = margin / width, margin / height
    return max(0.0, x0 - across), max(0.0, y0 - down), min(1.0, x1 + across), min(1.0, y1 + down)


def _frames_of(footage: EmbeddedFootage, video_id: str) -> Iterator[tuple[int, bytes, list[Box]]]:
    """Yield pts, JPEG and boxes of a video's sampled frames."""
    for shard in decoded_shards(footage.frames)[0]:
        if all(video.video_id != video_id for video in shard.videos):
            continue
        boxes = BoxesInStep(_boxes_file(footage, shard.path.name)) if footage.hands is not None else None
        for key, jpeg in stored(shard.rows()):
            found = boxes.of(key) if boxes is not None else None
            if key[0] == video_id:
                yield key[1], jpeg, found or []


def _boxes_file(footage: EmbeddedFootage, name: str) -> Path:
    assert footage.hands is not None
    return footage.hands.folder / name
