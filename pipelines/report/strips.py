"""Make strips of clips: frames side by side, with boxes and crops."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_manifests.errors import InputError
from pipelines.decode.encode_jpeg import from_jpeg, to_jpeg
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import Decoded, DecodeStage, decoded_shards
from pipelines.engine.shards import iter_rows, read_rows, side_path
from pipelines.hands.crops import HAND_THRESHOLD, CropPolicy, crop, union_box
from pipelines.hands.detector import Box
from pipelines.hands.stage import FrameKey, read_boxes

FRAMES = 8
"""Most frames of a strip."""
_SHORT_SIDE, _CROP_SIDE, _QUALITY = 160, 96, 70
_BLOCK = 16  # JPEG's blocks with 4:2:0 chroma: no colour runs from a frame into its neighbour
_LARGEST_ASPECT = 4.0


@dataclass(frozen=True)
class Pictures:
    """Where the pictures of one split are.

    Attributes:
        frames: the decode stage whose shards are read.
        boxes: folder of a detector's boxes of these frames; None without boxes.
        policy: the rule of the crops; None where no hand crops are used.
    """

    frames: DecodeStage
    boxes: Path | None = None
    policy: CropPolicy | None = None


@dataclass(frozen=True)
class Mark:
    """Box that is drawn on a frame.

    Attributes:
        x: left edge, in widths of a frame from the left edge of the strip.
        y: top edge, in heights of a frame.
        width: in widths of a frame.
        height: in heights of a frame.
        kind: 'left', 'right' or 'hand' (of unknown side), or 'object'.
        score: of the detector.
    """

    x: float
    y: float
    width: float
    height: float
    kind: str
    score: float


@dataclass(frozen=True)
class Strip:
    """Pictures of a clip's frames side by side, as data URIs.

    Attributes:
        frames: picture of all frames.
        crops: picture of the encoder's square inputs, one per frame: the hand crop, or the middle of the frame where
            no hand was found. None where there are no hand crops.
        aspect: width of a frame divided by its height.
        marks: boxes on all frames.
        words: what each frame shows: its time and its hands.
    """

    frames: str
    crops: str | None
    aspect: float
    marks: Sequence[Mark]
    words: Sequence[str]

    @property
    def size(self) -> int:
        """Bytes that the pictures add to a page."""
        return len(self.frames) + len(self.crops or "")


@dataclass(frozen=True)
class _Frame:
    picture: np.ndarray
    time_s: float | None
    boxes: Sequence[Box] | None


def strips(pictures: Pictures, clip_ids: Collection[str]) -> dict[str, Strip]:
    """Make the strips of some clips of a split.

    Clips without a readable frame have none.

    Raises:
        MissingUpstream: there are no frames, or those of earlier clips.
        DamagedShard: a shard is damaged on disk.
    """
    found: dict[str, Strip] = {}
    plan = pictures.frames.plan
    wanted = set(clip_ids)
    for shard in decoded_shards(pictures.frames)[0]:
        if wanted.isdisjoint(clip.clip_id for task in shard.videos for clip in task.clips):
            continue
        chosen = _chosen(shard, plan, clip_ids)
        frames = _frames(shard, pictures.boxes, {key for keys in chosen.values() for key in keys})
        for clip_id, keys in chosen.items():
            there = [frames[key] for key in keys if key in frames]
            if there:
                found[clip_id] = _strip(there, pictures.policy)
    return found


def centre(plan: FramePlan) -> int:
    """Return the candidate nearest to a segment's centre."""
    return plan.candidates // 2


def _chosen(shard: Decoded, plan: FramePlan, clip_ids: Collection[str]) -> dict[str, list[FrameKey]]:
    """Choose the frames of each clip that the shard holds, evenly over its segments."""
    rows = read_rows(side_path(shard.path, "clip_frames"))
    wanted = pc.and_(
        pc.is_in(rows.column("clip_id"), pa.array(sorted(clip_ids), pa.string())),
        pc.equal(rows.column("candidate"), centre(plan)),
    )
    of_clip: dict[str, list[tuple[int, FrameKey]]] = {}
    for row in rows.filter(wanted).to_pylist():
        of_clip.setdefault(row["clip_id"], []).append((row["segment"], (row["video_id"], row["pts"])))
    chosen = {}
    for clip_id, places in of_clip.items():
        keys = list(dict.fromkeys(key for _, key in sorted(places)))
        chosen[clip_id] = [keys[place] for place in evenly(len(keys), FRAMES)]
    return chosen


def evenly(count: int, most: int) -> list[int]:
    """Choose at most ``most`` of ``count`` places, evenly spaced."""
    if count <= most:
        return list(range(count))
    return [int((place + 0.5) * count / most) for place in range(most)]


def _frames(shard: Decoded, folder: Path | None, wanted: Set[FrameKey]) -> dict[FrameKey, _Frame]:
    if not wanted:
        return {}
    groups = [
        number
        for number, rows in enumerate(iter_rows(shard.path, ["video_id", "pts"]))
        if not wanted.isdisjoint(zip(*(rows.column(name).to_pylist() for name in ("video_id", "pts")), strict=True))
    ]
    there = folder is not None and (folder / shard.path.name).is_file()
    boxes = read_boxes(folder / shard.path.name) if there and folder else None
    found = {}
    for rows in iter_rows(shard.path, groups=groups):
        for row in rows.to_pylist():
            key = row["video_id"], row["pts"]
            if key not in wanted:
                continue
            try:
                picture = from_jpeg(row["jpeg"])
            except InputError:
                continue  # It is counted as a failed frame where boxes or vectors are made.
            found[key] = _Frame(picture, row["time_s"], None if boxes is None else boxes.get(key))
    return found


def _strip(frames: Sequence[_Frame], policy: CropPolicy | None) -> Strip:
    height, width = frames[0].picture.shape[:2]
    aspect = min(max(width / height, 1 / _LARGEST_ASPECT), _LARGEST_ASPECT)
    size = _rounded(_SHORT_SIDE * max(1.0, aspect)), _rounded(_SHORT_SIDE / min(1.0, aspect))
    small = [cv2.resize(frame.picture, size, interpolation=cv2.INTER_AREA) for frame in frames]
    crops = None
    if policy is not None and any(frame.boxes is not None for frame in frames):
        crops = _uri(np.hstack([_input(frame, policy) for frame in frames]))
    threshold = policy.hand_threshold if policy else HAND_THRESHOLD
    shown = [[box for box in frame.boxes or () if _counts(box, threshold)] for frame in frames]
    marks = [_mark(box, place) for place, boxes in enumerate(shown) for box in boxes]
    words = [_words(frame, boxes) for frame, boxes in zip(frames, shown, strict=True)]
    return Strip(_uri(np.hstack(small)), crops, width / height, marks, words)


def _rounded(pixels: float) -> int:
    return max(1, round(pixels / _BLOCK)) * _BLOCK


def _counts(box: Box, threshold: float) -> bool:
    return box.score >= threshold if box.kind == "hand" else bool(box.contact)


def _mark(box: Box, place: int) -> Mark:
    kind = (box.side or "hand") if box.kind == "hand" else "object"
    return Mark(place + box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0, kind, box.score)


def _words(frame: _Frame, shown: Sequence[Box]) -> str:
    hands = [f"{f'{box.side} ' if box.side else ''}hand {box.score:.2f}" for box in shown if box.kind == "hand"]
    time = [] if frame.time_s is None else [f"{frame.time_s:.2f} s"]
    if frame.boxes is None:
        return ", ".join(time)
    return ", ".join([*time, *(hands or ["no hand"])])


def _input(frame: _Frame, policy: CropPolicy) -> np.ndarray:
    """Cut out what an encoder sees: the short side resized, the middle of the long one."""
    height, width = frame.picture.shape[:2]
    cut = crop(frame.picture, union_box(frame.boxes or (), policy, width, height), policy)
    side = min(cut.shape[:2])
    top, left = (cut.shape[0] - side) // 2, (cut.shape[1] - side) // 2
    square = cut[top : top + side, left : left + side]
    way = cv2.INTER_AREA if side > _CROP_SIDE else cv2.INTER_LINEAR
    return cv2.resize(square, (_CROP_SIDE, _CROP_SIDE), interpolation=way)


def _uri(picture: np.ndarray) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(to_jpeg(picture, _QUALITY)).decode('ascii')}"


def within_budget(made: Mapping[str, Strip], order: Sequence[str], budget: int) -> dict[str, Strip]:
    """Keep strips in order until their pictures fill a budget of bytes."""
    kept, spent = {}, 0
    for clip_id in order:
        if clip_id in made and spent + made[clip_id].size <= budget:
            kept[clip_id] = made[clip_id]
            spent += made[clip_id].size
    return kept
