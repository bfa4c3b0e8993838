"""Describe what the shards of a stage show."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc

from pipelines.embed.stage import EmbedStage
from pipelines.engine.shards import read_rows
from pipelines.engine.stage import Stage
from pipelines.hands.crops import HAND_THRESHOLD, HAND_THRESHOLDS
from pipelines.hands.packaged import calibration_of
from pipelines.hands.stage import HandsStage


def finding(stage: Stage) -> str:
    """Describe in words what the shards of a stage show.

    It is empty for most stages. Boxes count from the score that ``xmic embed`` takes without other options.
    """
    if isinstance(stage, HandsStage):
        made = stage.identity.provenance
        calibrated = calibration_of(made.get("weights_sha256"))
        least = calibrated[0] if calibrated else HAND_THRESHOLDS.get(made.get("detector", ""), HAND_THRESHOLD)
        found, frames = _frames_with_hands(stage.folder, least)
        return f"hands found in {_share(found, frames)} of frames (score {least:g} or more)" if frames else ""
    if isinstance(stage, EmbedStage) and stage.hands is not None:
        whole, frames = _whole_frames(stage.folder)
        return f"{_share(frames - whole, frames)} of frames cropped to hands, the others whole" if frames else ""
    return ""


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %"


def _frames_with_hands(folder: Path, least: float) -> tuple[int, int]:
    found = frames = 0
    for part in sorted(folder.glob("part-*.parquet")):
        boxes = read_rows(part, ["boxes"]).column("boxes").combine_chunks()
        flat = boxes.flatten()
        counts = pc.and_(pc.equal(flat.field("kind"), "hand"), pc.greater_equal(flat.field("score"), least))
        found += pc.count_distinct(pc.filter(pc.list_parent_indices(boxes), counts)).as_py()
        frames += len(boxes)
    return found, frames


def _whole_frames(folder: Path) -> tuple[int, int]:
    whole = frames = 0
    for part in sorted(folder.glob("part-*.parquet")):
        column = read_rows(part, ["whole_frame"]).column("whole_frame")
        whole += pc.sum(column).as_py() or 0
        frames += len(column)
    return whole, frames
