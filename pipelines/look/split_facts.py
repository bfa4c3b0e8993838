"""Count what was prepared, decoded and detected of one split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_manifests.errors import MissingUpstream
from data_manifests.schema import LABELS, REJECT_REASONS, Label
from pipelines.decode.stage import Decoded, DecodeStage, decoded_plans, decoded_shards, default_plan
from pipelines.engine.clips import Clips, read_clips, read_videos
from pipelines.engine.command_lines import command_line
from pipelines.engine.shards import any_footer, iter_rows, read_rows, side_path
from pipelines.engine.workspace import Workspace, subfolders
from pipelines.hands.crops import CropPolicy
from pipelines.hands.packaged import fitting_policy
from pipelines.hands.stage import detect_command
from pipelines.report.strips import Pictures

_ROWS_SHOWN = 5


@dataclass(frozen=True)
class Hands:
    """How often a detector found a hand.

    Attributes:
        detector: folder name of its boxes.
        others: other detectors that have boxes of these frames.
        policy: the rule of the crops.
        frames: number of frames with a row of boxes.
        with_hand: how many of them have a hand that counts.
        clips_without: ids of the clips that have frames, but no hand in any.
    """

    detector: str
    others: Sequence[str]
    policy: CropPolicy
    frames: int
    with_hand: int
    clips_without: Sequence[str]

    @property
    def rate(self) -> float | None:
        """Percent of the frames that have a hand."""
        return 100 * self.with_hand / self.frames if self.frames else None


@dataclass(frozen=True)
class Lost:
    """Rows that were rejected or failed for one reason.

    Attributes:
        stage: 'prepare', 'decode' or 'detect-hands'.
        reason: reason code.
        meaning: explanation of the code; '' where there is none.
        count: number of rows of the annotation file, or of frames.
        rows: the first of them in words.
    """

    stage: str
    reason: str
    meaning: str
    count: int
    rows: Sequence[str]


@dataclass(frozen=True, eq=False)
class SplitFacts:
    """Facts of one prepared split.

    Attributes:
        split: its name.
        clips: its clips.
        words: columns of the clips for the gallery.
        seconds: length of each clip in seconds, NaN where it is not known.
        videos: number of videos.
        missing_videos: how many of them are under no video root.
        frames: number of decoded frames; None without any.
        pictures: where frames and boxes are; None without frames.
        hands: None without boxes.
        lost: rejected rows and failed frames, most first.
        notices: (what is missing, the command that makes it).
    """

    split: str
    clips: Clips
    words: pa.Table
    seconds: np.ndarray
    videos: int
    missing_videos: int
    frames: int | None = None
    pictures: Pictures | None = None
    hands: Hands | None = None
    lost: Sequence[Lost] = ()
    notices: Sequence[tuple[str, str]] = field(default_factory=list)

    @property
    def recordings(self) -> int:
        """Number of recordings."""
        return len(set(self.clips.recordings))

    @property
    def participants(self) -> int:
        """Number of people who wear the camera; 0 where not known."""
        return len({person for person in self.clips.participants if person is not None})

    @property
    def hours(self) -> float:
        """Length of all clips together, in hours."""
        return float(np.nansum(self.seconds)) / 3600

    def counts(self, label: Label) -> Counter[int]:
        """Count the clips of each class."""
        return Counter(int(number) for number in self.clips.labels[label] if number >= 0)


def split_facts(workspace: Workspace, dataset: str, split: str) -> SplitFacts:
    """Collect the facts of a prepared split.

    Raises:
        DamagedShard: a shard is damaged on disk.
    """
    clips = read_clips(workspace, dataset, split)
    columns = ["start_s", "stop_s", "narration", *LABELS]
    words = clips.read(columns)
    videos = read_videos(workspace, dataset, split, ["video_id", "duration_s", "path"])
    lost = _rejected(workspace, dataset, split)
    plan = _plan(workspace, dataset, split)
    lengths = dict(zip(videos.column("video_id").to_pylist(), videos.column("duration_s").to_pylist(), strict=True))
    facts: dict[str, Any] = {
        "videos": len(videos),
        "missing_videos": videos.column("path").null_count,
    }
    shards: list[Decoded] = []
    decode = command_line("decode", None, dataset, split=split, root=workspace.root)
    notices = [] if plan else [("no frames yet, so there are no pictures", decode)]
    if plan:
        stage = DecodeStage(workspace, dataset, split, plan)
        try:
            shards, missing = decoded_shards(stage)
        except MissingUpstream as error:
            notices.append((str(error).rpartition(" Run ")[0], stage.command))
        else:
            lengths |= _lengths(shards)
            lost += _failed("decode", [shard.path for shard in shards])
            facts["frames"] = sum(shard.footer.rows for shard in shards)
            facts["pictures"] = Pictures(stage)
            if missing:
                notices.append((f"{len(missing)} shards of frames are missing", stage.command))
    if shards:
        hands = _hands(stage, shards)
        if hands is None:
            notices.append(("no hand boxes yet", detect_command(stage)))
        else:
            boxes = workspace.hands(dataset, split, stage.plan.slug, hands.detector)
            facts |= {"hands": hands, "pictures": Pictures(stage, boxes, hands.policy)}
            lost += _failed("detect-hands", [boxes / shard.path.name for shard in shards])
    seconds = _seconds(words, clips.video_ids, lengths)
    lost.sort(key=lambda item: (-item.count, item.stage, item.reason))
    return SplitFacts(split, clips, words, seconds, lost=lost, notices=notices, **facts)


def _plan(workspace: Workspace, dataset: str, split: str) -> Any:
    plans = decoded_plans(workspace, dataset, split)
    usual = default_plan(split).slug
    return plans.get(usual) or next(iter(plans.values()), None)


def _lengths(shards: Sequence[Decoded]) -> dict[str, float]:
    found = {}
    for shard in shards:
        rows = read_rows(side_path(shard.path, "videos"), ["video_id", "duration_s"])
        pairs = zip(rows.column("video_id").to_pylist(), rows.column("duration_s").to_pylist(), strict=True)
        found.update({video: length for video, length in pairs if length is not None})
    return found


def _seconds(words: pa.Table, video_ids: Sequence[str], lengths: Mapping[str, float | None]) -> np.ndarray:
    """Compute the length of each clip; one without a stop ends with its video."""
    starts, stops = (words.column(name).to_pylist() for name in ("start_s", "stop_s"))
    ends = [lengths.get(video) if stop is None else stop for stop, video in zip(stops, video_ids, strict=True)]
    return np.array([np.nan if end is None else end - start for start, end in zip(starts, ends, strict=True)])


def _hands(stage: DecodeStage, shards: Sequence[Decoded]) -> Hands | None:
    base = stage.workspace.hands(stage.dataset, stage.split, stage.plan.slug)
    detectors = [folder for folder in subfolders(base) if any(folder.glob("part-*.parquet"))]
    if not detectors:
        return None
    folder = detectors[0]
    policy = _policy(stage, folder)
    frames, with_hand = 0, 0
    without: list[str] = []
    for shard in shards:
        boxes = folder / shard.path.name
        if not boxes.is_file():
            continue
        seen: set[tuple[str, int]] = set()
        for rows in iter_rows(boxes):
            frames += len(rows)
            seen.update(_keys(rows.filter(_has_hand(rows, policy.hand_threshold))))
        with_hand += len(seen)
        there: dict[str, bool] = {}
        rows = read_rows(side_path(shard.path, "clip_frames"), ["clip_id", "video_id", "pts"])
        for clip_id, key in zip(rows.column("clip_id").to_pylist(), _keys(rows), strict=True):
            there[clip_id] = there.get(clip_id, False) or key in seen
        without += [clip_id for clip_id, found in there.items() if not found]
    others = [other.name for other in detectors[1:]]
    return Hands(folder.name, others, policy, frames, with_hand, sorted(without))


def _policy(stage: DecodeStage, boxes: Path) -> CropPolicy:
    """Take the crops that were embedded, else those that would be."""
    folders = stage.workspace.hand_vectors(stage.dataset, stage.split, stage.plan.slug, boxes.name)
    embedded = sorted(folder.name.removeprefix(f"hand-{boxes.name}-") for folder in folders)
    if embedded:
        return CropPolicy.of_slug(embedded[0])
    footer = any_footer(boxes)
    return fitting_policy(footer.provenance if footer else {})


def _has_hand(rows: pa.Table, threshold: float) -> pa.Array:
    boxes = rows.column("boxes").combine_chunks()
    parents, flat = pc.list_parent_indices(boxes), pc.list_flatten(boxes)
    counts = pc.and_(
        pc.equal(pc.struct_field(flat, "kind"), "hand"),
        pc.greater_equal(pc.struct_field(flat, "score"), pa.scalar(threshold, pa.float32())),
    )
    found = np.zeros(len(rows), bool)
    found[parents.filter(counts).to_numpy()] = True
    return pa.array(found)


def _keys(rows: pa.Table) -> list[tuple[str, int]]:
    return list(zip(rows.column("video_id").to_pylist(), rows.column("pts").to_pylist(), strict=True))


def _rejected(workspace: Workspace, dataset: str, split: str) -> list[Lost]:
    file = side_path(workspace.clips_file(dataset, split), "rejects")
    rows: dict[str, list[str]] = {}
    counts: Counter[str] = Counter()
    for row in read_rows(file).to_pylist() if file.is_file() else ():
        counts[row["reason"]] += 1
        if counts[row["reason"]] <= _ROWS_SHOWN:
            rows.setdefault(row["reason"], []).append(f"{row['file']}, row {row['row']}: {row['detail']}")
    return [
        Lost("prepare", reason, REJECT_REASONS.get(reason, ""), count, rows[reason]) for reason, count in counts.items()
    ]


def _failed(stage: str, shards: Sequence[Path]) -> list[Lost]:
    rows: dict[str, list[str]] = {}
    counts: Counter[str] = Counter()
    for shard in shards:
        file = side_path(shard, "failures")
        for row in read_rows(file).to_pylist() if file.is_file() else ():
            counts[row["reason"]] += row["rows"] or 1
            shown = rows.setdefault(row["reason"], [])
            if len(shown) < _ROWS_SHOWN:
                place = [row["clip_id"] or row["video_id"], *([] if row["pts"] is None else [f"pts {row['pts']}"])]
                shown.append(f"{', '.join(filter(None, place))}: {row['error'] or row['reason']}")
    return [Lost(stage, reason, "", count, rows[reason]) for reason, count in counts.items()]
