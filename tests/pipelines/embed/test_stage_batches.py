"""How frames reach the network: in full batches over row groups, prepared ahead in threads."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.decode.encode_jpeg import from_jpeg, to_jpeg
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import DecodeStage
from pipelines.embed.encoders import describe_encoder, load_encoder
from pipelines.embed.encoders.base import FrozenImageEncoder
from pipelines.embed.encoders.spec import EncoderIdentity, EncoderOptions
from pipelines.embed.stage import EmbedStage, LazyEncoder
from pipelines.engine import stage
from pipelines.engine.batches import BatchTooLarge
from pipelines.engine.progress import Silent
from pipelines.engine.shards import read_footer, read_rows, side_path
from pipelines.engine.stage import RunPolicy
from pipelines.hands.crops import CropPolicy, crop
from pipelines.hands.detector import DetectorIdentity
from pipelines.hands.stage import DetectHandsStage
from tests.pipelines.engine.late_lanes import LateLanes
from tests.pipelines.frame_shards import write_again

TINY = f"open_clip:{Path(__file__).resolve().parents[3] / 'examples' / 'tiny-clip.json'}/random"
FRAMES, GROUP = 24, 5
WAIT_S = 60


@pytest.fixture
def frames(embedded):
    """24 frames in row groups of 5."""
    found = DecodeStage(embedded, "mine", "val", FramePlan(4, 1, 0))
    write_again(found.folder, GROUP)
    return found


class Pooling(FrozenImageEncoder):
    """Mean colours of a 4 × 4 grid, by a forward pass that remembers its shapes."""

    def __init__(self, batch_size):
        self.passes = []
        super().__init__(self._pooled, self._small, 48, 8, EncoderOptions("fp32", batch_size, "cpu"))

    def _small(self, image):
        return torch.from_numpy(np.array(image.resize((8, 8)))).permute(2, 0, 1).float()

    def _pooled(self, batch):
        self.passes.append(tuple(batch.shape))
        return torch.nn.functional.adaptive_avg_pool2d(batch, 4).flatten(1)


def known_as(world, encoder, batch_size):
    """An encoder for a stage, whose identity says the batch size."""
    lazy = LazyEncoder(world.encoder("batches").identity, lambda: encoder)
    lazy.identity.environment["batch_shape"] = [batch_size, 3, 8, 8]
    return lazy


def made(item):
    """(video_id, pts) → row of the stage's only shard, in order; and its failures."""
    (part,) = item.folder.glob("part-*.parquet")
    rows = {(row["video_id"], row["pts"]): row for row in read_rows(part).to_pylist()}
    return rows, read_rows(side_path(part, "failures")).to_pylist()


def vectors(rows):
    return np.array([row["vector"] for row in rows.values()], np.float16)


@pytest.mark.parametrize(("batch_size", "passes"), [(1, 24), (4, 6), (5, 5), (7, 4), (16, 2), (24, 1), (64, 1)])
def test_only_the_last_forward_pass_of_a_shard_is_padded(frames, world, batch_size, passes):
    encoder = Pooling(batch_size)
    item = EmbedStage(frames, known_as(world, encoder, batch_size), workers=2)
    assert stage.run(item).rows == FRAMES
    assert encoder.passes == [(batch_size, 3, 8, 8)] * passes
    rows, failures = made(item)
    jpegs, one_by_one = write_again(frames.folder, GROUP), Pooling(1)
    assert list(rows) == list(jpegs)
    assert failures == []
    expected = one_by_one.embed([one_by_one.preprocess(from_jpeg(data)) for data in jpegs.values()])
    expected = expected.astype(np.float16)
    np.testing.assert_array_equal(vectors(rows), expected)


def test_a_network_gives_the_same_vectors_by_any_batch_size_and_the_same_bytes_by_any_row_group(frames, world):
    found = []
    for batch_size, group, workers in ((4, 64, 1), (4, GROUP, 3), (9, GROUP, 2), (48, GROUP, 2)):
        options = {"precision": "fp32", "batch_size": batch_size, "device": "cpu", "offline": True}
        options["allow_random_weights"] = True
        lazy = LazyEncoder(describe_encoder(TINY, **options), lambda options=options: load_encoder(TINY, **options))
        assert lazy.batch_size == batch_size
        write_again(frames.folder, group)
        item = EmbedStage(frames, lazy, workers=workers)
        stage.run(item)
        (part,) = item.folder.glob("part-*.parquet")
        found.append((part.read_bytes(), vectors(made(item)[0]).astype(np.float64)))
        part.unlink()
    (before, expected), (again, _), *others = found
    assert before == again
    for _, other in others:
        cosines = (other * expected).sum(1) / np.linalg.norm(other, axis=1) / np.linalg.norm(expected, axis=1)
        assert cosines.min() >= 0.99999


def test_each_failure_in_a_carried_batch_is_that_of_its_own_frame(frames, world):
    huge_picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    jpegs = write_again(frames.folder, GROUP)
    lost, huge, broken = (list(jpegs)[index] for index in (6, 11, 13))
    jpegs[huge] = to_jpeg(huge_picture, 95)
    write_again(frames.folder, GROUP, {**jpegs, lost: b"no"})
    boxes = DetectHandsStage(frames, DetectorIdentity("b-00000000", {"detector": "b"}, {}), world.FakeDetector)
    stage.run(boxes, RunPolicy(max_failures=1))
    write_again(frames.folder, GROUP, {**jpegs, broken: b"no"})
    fake, fake_detector, policy = world.FakeEncoder(), world.FakeDetector(), CropPolicy()
    sizes = []

    def prepared(key):
        picture = from_jpeg(jpegs[key])
        hand = (0.25, 0.25, 0.75, 0.75) if fake_detector.detect([picture])[0] else None
        return fake.preprocess(crop(picture, hand, policy))

    class Overflowing(world.FakeEncoder):
        def embed(self, inputs):
            sizes.append(len(inputs))
            found = super().embed(inputs)
            found[[np.array_equal(one, prepared(huge)) for one in inputs]] = 1e6
            return found

    item = EmbedStage(frames, known_as(world, Overflowing(), 8), boxes.folder, policy, workers=2)
    stage.run(item, RunPolicy(max_failures=3))
    rows, failures = made(item)
    assert sizes == [8, 8, 6]
    assert {(row["video_id"], row["pts"]): row["reason"] for row in failures} == {
        lost: "no_boxes",
        huge: "not_finite",
        broken: "decode_error",
    }
    assert list(rows) == [key for key in jpegs if key not in (lost, huge, broken)]
    expected = fake.embed([prepared(key) for key in rows]).astype(np.float16)
    np.testing.assert_allclose(vectors(rows), expected, rtol=1e-3)


def test_frames_are_preprocessed_in_threads_beside_the_network_and_stay_in_order(frames, world):
    size, main = 8, threading.get_ident()
    where, calls = set(), []
    together, next_begun = threading.Barrier(2), threading.Event()

    class ValidationSet(world.FakeEncoder):
        def preprocess(self, picture):
            where.add(threading.get_ident())
            calls.append(1)
            if len(calls) <= 2:
                together.wait(WAIT_S)
            if len(calls) > size + 1:
                next_begun.set()
            return super().preprocess(picture)

        def embed(self, inputs):
            assert threading.get_ident() == main
            assert next_begun.wait(WAIT_S), "the next batch is not prepared while this one is in the network"
            return super().embed(inputs)

    item = EmbedStage(frames, known_as(world, ValidationSet(), size), workers=2)
    stage.run(item)
    assert main not in where
    fake, jpegs = world.FakeEncoder(), write_again(frames.folder, GROUP)
    rows, _ = made(item)
    assert list(rows) == list(jpegs)
    expected = np.concatenate([fake.embed([fake.preprocess(from_jpeg(data))]) for data in jpegs.values()])
    np.testing.assert_allclose(vectors(rows), expected.astype(np.float16), rtol=1e-3)


def test_at_most_a_batch_beside_the_one_in_the_network_is_prepared(frames, world):
    size, calls, seen = 4, [], []

    class Counted(world.FakeEncoder):
        def preprocess(self, picture):
            calls.append(1)
            return super().preprocess(picture)

        def embed(self, inputs):
            seen.append(len(calls))
            return super().embed(inputs)

    stage.run(EmbedStage(frames, known_as(world, Counted(), size), workers=2))
    assert len(seen) == 6
    assert all(there <= size * (number + 2) for number, there in enumerate(seen))


class Tight(Pooling):
    """An encoder whose device has room for so many pictures, and is fastest with so many."""

    def __init__(self, batch_size, room, best=64):
        self.room, self.best = room, best
        super().__init__(batch_size)

    def _pooled(self, batch):
        if len(batch) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super()._pooled(batch)

    def pictures_per_second(self, size):
        super().pictures_per_second(size)
        return min(size, self.best)


def lazy_with(encoder, **how):
    shape = [encoder._shape[0], 3, 8, 8]
    facts = {"spec": "tight", "precision": "fp32", "normalised": False, "random_weights": False}
    identity = EncoderIdentity("tight-00000000", facts, facts, {"batch_shape": shape, "device": "cuda"})
    return LazyEncoder(identity, lambda: encoder, **how)


def recorded_size(item):
    (part,) = item.folder.glob("part-*.parquet")
    return read_footer(part).environment["batch_shape"][0]


def test_a_batch_size_that_is_found_is_recorded_in_the_shard(frames):
    encoder = Tight(4, room=100, best=16)
    item = EmbedStage(frames, lazy_with(encoder, finds=True))
    assert stage.run(item).rows == FRAMES
    assert recorded_size(item) == 16
    assert encoder.passes[-2:] == [(16, 3, 8, 8)] * 2


def test_a_shard_whose_batches_do_not_fit_any_more_is_made_with_half_the_size_and_says_so(frames):
    encoder, said = Tight(16, room=100), []

    class Notes(Silent):
        def note(self, text):
            said.append(text)

    encoder.room = 5
    item = EmbedStage(frames, lazy_with(encoder, shrinks=True))
    assert stage.run(item, progress=Notes()).rows == FRAMES
    assert recorded_size(item) == 4
    assert encoder.passes == [(4, 3, 8, 8)] * 6
    assert [text.partition(";")[0] for text in said] == [
        "16 pictures a forward pass do not fit into the device's memory",
        "8 pictures a forward pass do not fit into the device's memory",
    ]
    rows, failures = made(item)
    assert (len(rows), failures) == (FRAMES, [])


def test_a_fixed_batch_size_that_does_not_fit_is_an_error_with_the_size_to_try(frames):
    with pytest.raises(BatchTooLarge, match="--batch-size 8"):
        stage.run(EmbedStage(frames, lazy_with(Tight(16, room=5))))


def test_vectors_are_the_same_bytes_where_batches_are_begun_ahead(frames, world, monkeypatch):
    found = []
    for lanes in (None, LateLanes):
        if lanes is not None:
            monkeypatch.setattr("pipelines.embed.encoders.base.lanes_of", lambda device, lanes=lanes: lanes())
        item = EmbedStage(frames, known_as(world, Pooling(7), 7), workers=2)
        stage.run(item)
        (part,) = item.folder.glob("part-*.parquet")
        found.append(part.read_bytes())
        part.unlink()
    assert found[0] == found[1]
