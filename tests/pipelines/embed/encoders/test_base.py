from __future__ import annotations

import numpy as np
import pytest
import torch

from pipelines.embed.encoders.base import FrozenImageEncoder
from pipelines.embed.encoders.forward_passes import environment
from pipelines.embed.encoders.spec import EncoderOptions
from pipelines.engine.batches import BatchTooLarge, in_begun_batches
from tests.pipelines.engine.late_lanes import LateLanes

OPTIONS = EncoderOptions("fp32", 4, "cpu")


def encoder(forward):
    return FrozenImageEncoder(forward, lambda picture: torch.zeros(3, 8, 8), 2, 8, OPTIONS)


def test_every_forward_pass_has_the_same_shape():
    shapes = []

    def forward(batch):
        shapes.append(tuple(batch.shape))
        return batch.sum((1, 2, 3))[:, None].repeat(1, 2)

    inputs = [torch.full((3, 8, 8), float(index)) for index in range(6)]
    found = encoder(forward).embed(inputs)
    assert shapes == [(4, 3, 8, 8)] * 2
    np.testing.assert_array_equal(found[:, 0], [192.0 * index for index in range(6)])


def test_a_batch_that_does_not_fit_says_which_does():
    def forward(batch):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(
        BatchTooLarge, match=r"4 pictures a forward pass do not fit into the memory of cpu.*--batch-size 2"
    ):
        encoder(forward).embed([torch.zeros(3, 8, 8)])


def sums(batch):
    return batch.sum((1, 2, 3))[:, None].repeat(1, 2)


def test_vectors_are_the_same_where_batches_are_begun_ahead(monkeypatch):
    inputs = [torch.full((3, 8, 8), float(index)) for index in range(11)]
    expected = encoder(sums).embed(inputs)
    for seed in range(5):
        monkeypatch.setattr("pipelines.embed.encoders.base.lanes_of", lambda device, seed=seed: LateLanes(seed))
        late = encoder(sums)
        np.testing.assert_array_equal(late.embed(inputs), expected)
        rows = in_begun_batches(enumerate(inputs), 4, late.begin_embed, late.ahead)
        found = dict(rows)
        assert list(found) == list(range(11))
        np.testing.assert_array_equal(np.stack(list(found.values())), expected)


def test_another_batch_size_is_taken_from_the_next_batch_on():
    shapes = []

    def forward(batch):
        shapes.append(len(batch))
        return sums(batch)

    made = encoder(forward)
    inputs = [torch.full((3, 8, 8), float(index)) for index in range(4)]
    before = made.embed(inputs)
    made.set_batch_size(2)
    np.testing.assert_array_equal(made.embed(inputs), before)
    assert shapes == [4, 2, 2]


def test_the_speed_is_that_of_passes_of_the_asked_size_and_leaves_the_batch_size_alone():
    shapes = []

    def forward(batch):
        shapes.append(len(batch))
        return sums(batch)

    made = encoder(forward)
    assert made.pictures_per_second(7) > 0
    assert set(shapes) == {7}
    made.embed([torch.zeros(3, 8, 8)])
    assert shapes[-1] == 4


def test_a_compiled_tower_is_compiled_once_for_fixed_shapes_and_recorded(monkeypatch):
    asked = []

    def compiled(forward, **options):
        asked.append(options)
        return lambda batch: 10 * forward(batch)

    monkeypatch.setattr("torch.compile", compiled)
    options = EncoderOptions("fp32", 4, "cpu", compiled=True)
    made = FrozenImageEncoder(sums, lambda picture: torch.ones(3, 8, 8), 2, 8, options)
    inputs = [torch.ones(3, 8, 8)] * 6
    np.testing.assert_array_equal(made.embed(inputs), np.full((6, 2), 1920))
    made.embed(inputs)
    assert asked == [{"dynamic": False}]
    assert environment(options, 8)["compiled"] is True
    assert "compiled" not in environment(OPTIONS, 8)
