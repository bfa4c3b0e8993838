from __future__ import annotations

import weakref

import numpy as np
import pytest

from data_manifests.errors import MissingUpstream
from pipelines.decode.encode_jpeg import from_jpeg
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import DecodeStage
from pipelines.embed.stage import EmbedStage, LazyEncoder
from pipelines.engine import stage
from pipelines.engine.shards import read_footer, read_rows
from pipelines.engine.stage import RunPolicy
from pipelines.hands import stage as hands_stage
from pipelines.hands.crops import CropPolicy, crop
from pipelines.hands.detector import Box
from pipelines.hands.stage import read_boxes

HANDS = "fake-hands-00000000"


def frames_of(workspace):
    return DecodeStage(workspace, "mine", "val", FramePlan(4, 1, 0))


def boxes_of(workspace):
    return workspace.root / "hands/mine/val/seg4-k1-native-q95" / HANDS


def rows_of(item):
    return [row for part in sorted(item.folder.glob("part-*")) for row in read_rows(part).to_pylist()]


def pictures(workspace):
    found = {}
    for part in frames_of(workspace).folder.glob("part-*"):
        for row in read_rows(part).to_pylist():
            found[row["video_id"], row["pts"]] = from_jpeg(row["jpeg"])
    return found


def test_full_vectors_are_those_of_the_frames_raw_in_float16(embedded, world):
    item = EmbedStage(frames_of(embedded), world.encoder("again"))
    stage.run(item)
    fake, frames = world.FakeEncoder(), pictures(embedded)
    rows = rows_of(item)
    assert len(rows) == len(frames) == 24
    for row in rows:
        expected = fake.embed([fake.preprocess(frames[row["video_id"], row["pts"]])])[0].astype(np.float16)
        np.testing.assert_array_equal(np.array(row["vector"], np.float16), expected)
        assert not row["whole_frame"]
    assert np.linalg.norm(np.array(rows[0]["vector"], np.float64)) != pytest.approx(1, abs=0.01)
    assert read_footer(next(item.folder.glob("part-*"))).provenance["normalised"] is False


def test_hand_vectors_are_those_of_the_crop_or_of_the_flagged_full_frame(embedded, world):
    policy = CropPolicy()
    item = EmbedStage(frames_of(embedded), world.encoder("again"), boxes_of(embedded), policy)
    stage.run(item)
    fake, frames = world.FakeEncoder(), pictures(embedded)
    boxes = {key: value for part in boxes_of(embedded).glob("part-*") for key, value in read_boxes(part).items()}
    seen = set()
    for row in rows_of(item):
        key = row["video_id"], row["pts"]
        picture = frames[key]
        if boxes[key]:
            picture = crop(picture, (0.25, 0.25, 0.75, 0.75), policy)
        assert row["whole_frame"] == (not boxes[key])
        seen.add(row["whole_frame"])
        expected = fake.embed([fake.preprocess(picture)])[0].astype(np.float16)
        np.testing.assert_array_equal(np.array(row["vector"], np.float16), expected)
    assert seen == {True, False}, "the world must hold both cases for this test to mean anything"


def counting(world, name, environment):
    """An encoder that remembers how many pictures it embedded."""
    lazy = world.encoder(name)
    lazy.identity.environment.update(environment)
    lazy.model.seen = 0
    embed = lazy.model.embed

    def counted(inputs):
        lazy.model.seen += len(inputs)
        return embed(inputs)

    lazy.model.embed = counted
    return lazy


def test_frames_without_a_hand_take_the_vectors_that_the_full_stream_has_of_them(embedded, world, monkeypatch):
    frames, policy, shape = frames_of(embedded), CropPolicy(), {"batch_shape": [5, 3, 8, 8]}
    alone = counting(world, "alone", shape)
    computed = EmbedStage(frames, alone, boxes_of(embedded), policy)
    stage.run(computed)
    beside = counting(world, "beside", shape)
    stage.run(EmbedStage(frames, beside))
    beside.model.seen, decoded = 0, []
    monkeypatch.setattr("pipelines.embed.stage.picture_of", lambda jpeg: decoded.append(jpeg) or from_jpeg(jpeg))
    taken = EmbedStage(frames, beside, boxes_of(embedded), policy, workers=3)
    stage.run(taken)
    rows = rows_of(taken)
    assert rows == rows_of(computed)
    assert alone.model.seen == 24
    assert 0 < beside.model.seen == len(decoded) == sum(not row["whole_frame"] for row in rows) < 24


@pytest.mark.parametrize("change", [{"batch_shape": [6, 3, 8, 8]}, {"batch_shape": [5, 3, 8, 8], "device": "cuda"}])
def test_vectors_of_the_full_stream_that_another_machine_or_batch_size_made_are_not_taken(embedded, world, change):
    frames = frames_of(embedded)
    stage.run(EmbedStage(frames, counting(world, "other", {"batch_shape": [5, 3, 8, 8]})))
    lazy = counting(world, "other", change)
    stage.run(EmbedStage(frames, lazy, boxes_of(embedded), CropPolicy()))
    assert lazy.model.seen == 24


def test_a_frame_that_the_full_stream_lacks_is_embedded_with_the_hands(embedded, world):
    frames, policy = frames_of(embedded), CropPolicy()
    boxes = {key: value for part in boxes_of(embedded).glob("part-*") for key, value in read_boxes(part).items()}
    lost = next(key for key, found in boxes.items() if not found)
    lazy = counting(world, "gap", {})
    embed, wrong = lazy.model.embed, lazy.model.preprocess(pictures(embedded)[lost])

    def overflowing(inputs):
        found = embed(inputs)
        found[[np.array_equal(one, wrong) for one in inputs]] = 1e6
        return found

    lazy.model.embed = overflowing
    full = EmbedStage(frames, lazy)
    stage.run(full, RunPolicy(max_failures=23))
    assert len(rows_of(full)) < 24
    lazy.model.embed = embed
    item = EmbedStage(frames, lazy, boxes_of(embedded), policy)
    stage.run(item)
    assert len(rows_of(item)) == 24


def test_boxes_are_read_in_step_with_the_frames_and_not_all_at_once(embedded, world, monkeypatch):
    made = []
    most = 0

    def counted(**values):
        nonlocal most
        box = Box(**values)
        made.append(weakref.ref(box))
        most = max(most, sum(ref() is not None for ref in made))
        return box

    monkeypatch.setattr(hands_stage, "Box", counted)
    lazy = world.encoder("again")
    lazy.identity.environment["batch_shape"] = [2, 3, 8, 8]
    stage.run(EmbedStage(frames_of(embedded), lazy, boxes_of(embedded), CropPolicy()))
    assert len(made) > 5
    assert most <= 5, "those of two frames ahead, of the one taken, and the next"


def test_a_changed_threshold_is_another_stream(embedded, world):
    loose = EmbedStage(frames_of(embedded), world.encoder(), boxes_of(embedded), CropPolicy(hand_threshold=0.1))
    strict = EmbedStage(frames_of(embedded), world.encoder(), boxes_of(embedded), CropPolicy(hand_threshold=0.8))
    assert loose.folder != strict.folder


def test_vectors_that_do_not_fit_in_float16_are_failure_rows(embedded, world):
    class Overflowing(world.FakeEncoder):
        def embed(self, inputs):
            vectors = super().embed(inputs)
            vectors[0] = 1e6
            return vectors

    lazy = LazyEncoder(world.encoder("huge").identity, Overflowing)
    item = EmbedStage(frames_of(embedded), lazy)
    report = stage.run(item, RunPolicy(max_failures=5))
    assert report.failures == {"not_finite": 1}
    assert report.rows == 23


def test_without_boxes_the_command_and_the_way_around_are_named(embedded, world):
    item = EmbedStage(frames_of(embedded), world.encoder(), embedded.root / "hands/none", CropPolicy())
    with pytest.raises(
        MissingUpstream, match=r"lacks the hand boxes of its frames: run xmic detect-hands mine .* --streams full"
    ):
        stage.run(item)


def test_redone_boxes_redo_the_hand_stream_only(embedded, world):
    full = EmbedStage(frames_of(embedded), world.encoder())
    hand = EmbedStage(frames_of(embedded), world.encoder(), boxes_of(embedded), CropPolicy())
    assert not stage.plan(full).todo
    assert not stage.plan(hand).todo
    from pipelines.hands.detector import DetectorIdentity
    from pipelines.hands.stage import DetectHandsStage

    class Blind:
        def detect(self, images):
            return [[] for _ in images]

    stage.run(DetectHandsStage(frames_of(embedded), DetectorIdentity(HANDS, {"detector": "blind"}, {}), Blind))
    assert not stage.plan(full).todo
    assert [item.why for item in stage.plan(hand).todo] == ["input hands changed"]
