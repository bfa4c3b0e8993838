from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from pipelines.chain.findings import finding
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import DecodeStage
from pipelines.embed.stage import EmbedStage
from pipelines.engine import stage
from pipelines.engine.workspace import Workspace
from pipelines.hands.crops import CropPolicy
from pipelines.hands.detector import DetectorIdentity
from pipelines.hands.stage import DetectHandsStage
from tests.pipelines.embedded_world import FakeDetector, encoder
from xmic_cli.stages import report_lines

_REPORT: dict[str, Any] = {
    "stage": "decode",
    "folder": "/very/long/path",
    "title": "epic train",
    "counted": "frames",
    "made_rows": 4000,
    "seconds": 71.0,
    "shards": 12,
    "already_done": 0,
    "made": 12,
    "remaining": 0,
    "rows": 3990,
    "attempted": 4000,
    "failures": {"missing_video": 10},
    "finding": "",
}


def test_a_stage_ends_with_what_it_made_how_fast_and_what_failed() -> None:
    assert list(report_lines([_REPORT])) == ["decode epic train: 4,000 frames in 1:11, 56/s; failed: 10 missing_video"]
    told = {**_REPORT, "finding": "hands found in 47 % of frames", "failures": {}, "remaining": 2, "seconds": 0.1}
    assert list(report_lines([told])) == [
        "decode epic train: 4,000 frames in 0:00; hands found in 47 % of frames; 2 of 12 shards still to make"
    ]


def test_stages_with_nothing_to_do_share_one_line_but_failures_are_still_told() -> None:
    quiet = {**_REPORT, "made": 0, "made_rows": 0, "failures": {}}
    failed = {**quiet, "failures": {"corrupt": 1}}
    assert list(report_lines([quiet, {**quiet, "stage": "embed"}, quiet, failed])) == [
        "decode epic train: nothing to do, 3,990 frames; failed: 1 corrupt",
        "nothing to do: decode, embed (11,970 rows in 3 folders are up to date)",
    ]


def test_boxes_and_crops_say_in_how_many_frames_a_hand_was_found(embedded: Workspace) -> None:
    frames = DecodeStage(embedded, "mine", "train", FramePlan(4, 3, 0))
    identity = DetectorIdentity("fake-hands-00000000", {"detector": "fake"}, {})
    boxes = DetectHandsStage(frames, identity, FakeDetector)
    crops = EmbedStage(frames, encoder(), boxes.folder, CropPolicy())
    assert stage.plan(boxes).todo == stage.plan(crops).todo == []
    words = finding(boxes)
    share = int(words.removeprefix("hands found in ").split(" %")[0])
    assert 20 < share < 80, "about every other frame"
    assert words.endswith("% of frames (score 0.5 or more)")
    assert finding(crops) == f"{share} % of frames cropped to hands, the others whole"
    assert finding(replace(crops, hands=None, policy=None)) == finding(frames) == ""


class _Unsure(FakeDetector):
    def detect(self, images: list[np.ndarray]) -> list[Any]:
        return [[replace(box, score=0.3) for box in boxes] for boxes in super().detect(images)]


def test_a_hand_below_the_score_that_counts_is_none(embedded: Workspace) -> None:
    frames = DecodeStage(embedded, "mine", "val", FramePlan(4, 1, 0))
    boxes = DetectHandsStage(frames, DetectorIdentity("unsure-00000000", {"detector": "x"}, {}), _Unsure)
    stage.run(boxes)
    assert finding(boxes) == "hands found in 0 % of frames (score 0.5 or more)"
