from __future__ import annotations

import numpy as np
import pytest
import torch

from data_manifests.errors import InputError
from pipelines.embed.encoders.base import FrozenImageEncoder, environment
from pipelines.embed.encoders.spec import EncoderOptions

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
        InputError, match=r"4 pictures a forward pass do not fit into the memory of cpu.*--batch-size 2"
    ):
        encoder(forward).embed([torch.zeros(3, 8, 8)])


def test_the_batch_shape_and_device_are_recorded():
    assert environment(OPTIONS, 8)["batch_shape"] == [4, 3, 8, 8]
    assert environment(OPTIONS, 8)["device"] == "cpu"
