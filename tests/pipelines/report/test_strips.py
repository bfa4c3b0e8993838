from __future__ import annotations

import base64
from dataclasses import replace

import numpy as np
import pytest

from data_manifests.errors import MissingUpstream
from pipelines.decode.encode_jpeg import from_jpeg, to_jpeg
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import DecodeStage
from pipelines.engine.clips import read_clips
from pipelines.engine.workspace import Workspace
from pipelines.hands.crops import CropPolicy
from pipelines.hands.stage import read_boxes
from pipelines.report.strips import FRAMES, Pictures, Strip, evenly, strips, within_budget
from tests.pipelines.embedded_world import SEGMENTS
from tests.pipelines.frame_shards import write_again


@pytest.fixture
def pictures(embedded: Workspace) -> Pictures:
    frames = DecodeStage(embedded, "mine", "val", FramePlan(SEGMENTS, 1, 0))
    return Pictures(
        frames, embedded.hands("mine", "val", frames.plan.slug, "fake-hands-00000000"), CropPolicy(margin=0.1)
    )


def clip_ids(pictures: Pictures) -> list[str]:
    return read_clips(pictures.frames.workspace, "mine", "val").clip_ids


def picture(uri: str) -> np.ndarray:
    head, data = uri.split(",")
    assert head == "data:image/jpeg;base64"
    return from_jpeg(base64.b64decode(data))


def test_a_strip_has_all_frames_of_the_clip_side_by_side_and_a_square_for_each(pictures: Pictures) -> None:
    made = strips(pictures, clip_ids(pictures))
    assert set(made) == set(clip_ids(pictures))
    for strip in made.values():
        assert len(strip.words) == SEGMENTS
        frames, crops = picture(strip.frames), picture(strip.crops or "")
        height, width = frames.shape[:2]
        assert min(height, width // SEGMENTS) == 160
        assert width / SEGMENTS / height == pytest.approx(strip.aspect, rel=0.05)
        assert crops.shape[1] == SEGMENTS * crops.shape[0]


def test_boxes_are_drawn_on_their_own_frame_and_said_in_words(pictures: Pictures) -> None:
    assert pictures.boxes is not None
    boxes = [found for part in pictures.boxes.glob("part-*") for found in read_boxes(part).values()]
    made = strips(pictures, clip_ids(pictures))
    marks = [mark for strip in made.values() for mark in strip.marks]
    assert len(marks) == sum(map(len, boxes)) > 0
    for strip in made.values():
        places = [int(mark.x) for mark in strip.marks]
        assert [place for place, words in enumerate(strip.words) if "hand 0.90" in words] == places
        assert [words for place, words in enumerate(strip.words) if place not in places] == [
            words for words in strip.words if words.endswith(", no hand")
        ]
        assert {(mark.y, mark.width, mark.height, mark.kind) for mark in strip.marks} <= {(0.25, 0.5, 0.5, "hand")}


def test_hands_below_the_threshold_are_not_drawn(pictures: Pictures) -> None:
    strict = replace(pictures, policy=CropPolicy(0.95))
    assert not any(strip.marks for strip in strips(strict, clip_ids(pictures)).values())


def test_without_boxes_there_are_no_crops_and_nothing_is_said_of_hands(pictures: Pictures) -> None:
    for strip in strips(Pictures(pictures.frames), clip_ids(pictures)).values():
        assert strip.crops is None
        assert not any("hand" in words for words in strip.words)


def test_a_damaged_picture_is_left_out_and_the_others_stay(pictures: Pictures) -> None:
    first = clip_ids(pictures)[0]
    before = strips(pictures, [first])[first]
    stored = write_again(pictures.frames.folder, 2)
    video = read_clips(pictures.frames.workspace, "mine", "val").video_ids[0]
    key = next(key for key in stored if key[0] == video)
    write_again(pictures.frames.folder, 2, {key: b"no JPEG"})
    after = strips(pictures, [first])[first]
    assert list(after.words) == list(before.words)[1:]


def test_the_same_frames_give_the_same_bytes_in_any_row_groups(pictures: Pictures) -> None:
    before = strips(pictures, clip_ids(pictures))
    write_again(pictures.frames.folder, 3)
    assert strips(pictures, clip_ids(pictures)) == before


def test_a_tall_frame_keeps_its_shape(pictures: Pictures) -> None:
    stored = write_again(pictures.frames.folder, 64)
    tall = {key: to_jpeg(np.zeros((400, 200, 3), np.uint8), 90) for key in stored}
    write_again(pictures.frames.folder, 64, tall)
    for strip in strips(pictures, clip_ids(pictures)).values():
        assert strip.aspect == 0.5
        assert picture(strip.frames).shape[:2] == (320, 160 * SEGMENTS)


def test_without_frames_the_command_that_makes_them_is_named(pictures: Pictures) -> None:
    frames = replace(pictures.frames, plan=FramePlan(5))
    with pytest.raises(MissingUpstream, match="xmic decode"):
        strips(Pictures(frames), ["a"])


def test_places_are_even_and_all_where_there_are_few() -> None:
    assert evenly(3, FRAMES) == [0, 1, 2]
    assert evenly(16, 8) == [1, 3, 5, 7, 9, 11, 13, 15]
    assert evenly(48, 4) == [6, 18, 30, 42]


def test_a_page_keeps_the_strips_that_its_budget_holds() -> None:
    made = {name: Strip("x" * size, None, 1, [], []) for name, size in (("a", 5), ("b", 9), ("c", 4))}
    assert list(within_budget(made, ["a", "b", "gone", "c"], 10)) == ["a", "c"]
