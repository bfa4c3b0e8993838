from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.decode.stage import decoded_shards
from pipelines.decode.stored_frames import picture_of, stored
from pipelines.engine.batches import Failed
from pipelines.hands.crops import CropPolicy
from pipelines.predict import EmbeddedFootage
from pipelines.predict.outline import outline
from pipelines.predict.seen import Seen, SeenInTime
from tests.pipelines.kitchen_world import Kitchen


@pytest.fixture(scope="module")
def footage(kitchen: Kitchen, tmp_path_factory: pytest.TempPathFactory) -> EmbeddedFootage:
    """Two videos, embedded for a run that looks at hands; their boxes go down by 2 % every 0.1 s."""
    videos = [kitchen.video("a.mp4"), kitchen.video("b.mp4")]
    return kitchen.load().embed(videos, cache=tmp_path_factory.mktemp("footage"))


def frames(footage: EmbeddedFootage, video_id: str) -> list[tuple[int, np.ndarray]]:
    found = []
    for shard in decoded_shards(footage.frames)[0]:
        for (video, pts), jpeg in stored(shard.rows()):
            picture = picture_of(jpeg)
            assert not isinstance(picture, Failed)
            found += [(pts, picture)] if video == video_id else []
    return found


def test_the_picture_is_what_the_encoder_makes_of_the_crop(footage: EmbeddedFootage) -> None:
    seen = SeenInTime(footage, "b.mp4")
    for pts, frame in frames(footage, "b.mp4"):
        now = seen.at(pts)
        assert now is not None
        assert now.crop is not None
        height, width = frame.shape[:2]
        x0, y0, x1, y1 = now.crop
        cut = frame[round(y0 * height) : round(y1 * height), round(x0 * width) : round(x1 * width)]
        assert (now.picture == footage.encoder.model.picture(cut).transpose(1, 2, 0)).all()
        assert (now.caption, len(now.boxes)) == ("crop", 1)


def test_a_sampled_frame_is_seen_until_the_next_and_nothing_before_the_first(footage: EmbeddedFootage) -> None:
    (first, _), (second, _), *_ = frames(footage, "b.mp4")
    seen = SeenInTime(footage, "b.mp4")
    assert seen.at(first - 1) is None
    now = seen.at(first)
    assert now is not None
    assert seen.at(second - 1) is now
    assert seen.at(second) is not now


def test_without_a_hand_above_the_threshold_it_is_the_whole_frame(footage: EmbeddedFootage) -> None:
    strict = replace(footage, policy=CropPolicy(hand_threshold=1.0))
    pts, frame = frames(footage, "a.mp4")[0]
    now = SeenInTime(strict, "a.mp4").at(pts)
    assert now is not None
    assert (now.crop, now.boxes, now.caption) == (None, [], "no hand found")
    assert (now.picture == footage.encoder.model.picture(frame).transpose(1, 2, 0)).all()


def test_an_encoder_that_can_not_show_its_cut_gets_the_square_in_the_middle(
    kitchen: Kitchen, footage: EmbeddedFootage
) -> None:
    class Blind:
        model = object()

    pts, frame = frames(footage, "a.mp4")[0]
    now = SeenInTime(replace(footage, encoder=Blind(), hands=None), "a.mp4").at(pts)  # type: ignore[arg-type]
    assert now is not None
    height, width = frame.shape[:2]
    left = (width - height) // 2
    assert (now.picture == frame[:, left : left + height]).all()
    assert now.caption == "whole frame"


def test_boxes_and_crop_are_drawn_with_side_and_score() -> None:
    from pipelines.hands.detector import Box

    page = np.zeros((200, 300, 3), np.uint8)
    outline(page, Seen([Box(0.4, 0.5, 0.6, 0.8, 0.93, side="left")], (0.3, 0.4, 0.7, 0.9), page[:1, :1], "crop"))
    assert (page[100, 120:180] == (80, 220, 100)).all()
    assert (page[80, 90:210] == (255, 255, 255)).all()
    label = page[84:100, 120:180]
    assert (label == (80, 220, 100)).all(axis=2).mean() > 0.4
    assert (label.sum(axis=2) < 200).any()
