"""How frames reach the detector: in full batches over row groups."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.decode.encode_jpeg import to_jpeg
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import DecodeStage
from pipelines.engine import stage
from pipelines.engine.shards import read_rows, side_path
from pipelines.engine.stage import RunPolicy
from pipelines.hands.detector import DetectorIdentity, load_detector
from pipelines.hands.stage import DetectHandsStage, read_boxes
from pocket_kitchens.drawing.clip import render
from pocket_kitchens.drawing.domains import EPIC
from pocket_kitchens.world import Size, plan_world
from tests.pipelines.frame_shards import write_again

FRAMES, GROUP = 24, 5


@pytest.fixture
def frames(embedded):
    """24 frames in row groups of 5."""
    found = DecodeStage(embedded, "mine", "val", FramePlan(4, 1, 0))
    write_again(found.folder, GROUP)
    return found


def run(frames, detector, batch_size, max_failures=0):
    """The stage's boxes by (video_id, pts), and its failures."""
    environment = {"batch_shape": [batch_size, 3, 64, 64]}
    identity = DetectorIdentity(f"other-{batch_size:08}", {"detector": "other"}, environment)
    item = DetectHandsStage(frames, identity, lambda: detector, workers=2)
    stage.run(item, RunPolicy(max_failures=max_failures))
    (part,) = item.folder.glob("part-*.parquet")
    return read_boxes(part), read_rows(side_path(part, "failures")).to_pylist()


@pytest.fixture
def counted(world):
    """A detector that remembers how many frames its calls had."""

    class Counted(world.FakeDetector):
        def __init__(self):
            self.calls = []

        def detect(self, images):
            self.calls.append(len(images))
            return super().detect(images)

    return Counted()


@pytest.mark.parametrize(("batch_size", "calls"), [(4, [4] * 6), (7, [7, 7, 7, 3]), (16, [16, 8]), (64, [24])])
def test_only_the_last_batch_of_a_shard_is_not_full(frames, counted, world, batch_size, calls):
    boxes, _ = run(frames, counted, batch_size)
    assert counted.calls == calls
    assert list(boxes) == list(write_again(frames.folder, GROUP))
    assert boxes == run(frames, world.FakeDetector(), 1)[0]


def test_a_broken_frame_in_a_carried_batch_is_the_failure_and_the_others_keep_their_boxes(frames, counted):
    whole, _ = run(frames, counted, 8)
    broken = list(whole)[11]
    write_again(frames.folder, GROUP, {broken: b"no"})
    counted.calls.clear()
    boxes, (failure,) = run(frames, counted, 9, max_failures=1)
    assert counted.calls == [9, 9, 5]
    assert (failure["video_id"], failure["pts"], failure["reason"]) == (*broken, "decode_error")
    assert boxes == {key: found for key, found in whole.items() if key != broken}


def test_the_packaged_network_finds_the_same_hands_by_any_batch_size(frames):
    video = next(video for video in plan_world(EPIC, Size(60, 40, (2, 4)), seed=77) if video.split == "test")
    clip = video.clips[0]
    drawn = [to_jpeg(frame.rgb, 95) for frame in render(clip, EPIC, only=range(8, clip.frames, 16))]
    keys = list(write_again(frames.folder, GROUP))
    write_again(frames.folder, GROUP, {key: drawn[number % len(drawn)] for number, key in enumerate(keys)})
    found = [run(frames, load_detector("yolo", weights=None, batch_size=size), size)[0] for size in (5, 16)]
    first, second = ([np.array(corners(boxes[key])) for key in keys] for boxes in found)
    assert sum(map(len, first)) > FRAMES // 2
    for one, other in zip(first, second, strict=True):
        assert len(one) == len(other)
        np.testing.assert_allclose(one, other, atol=1e-3)


def corners(boxes):
    """[n, 4] of the hands that are seen clearly, from left to right."""
    return sorted((box.x0, box.y0, box.x1, box.y1) for box in boxes if box.score > 0.5)
