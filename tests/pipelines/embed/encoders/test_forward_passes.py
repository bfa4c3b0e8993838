from __future__ import annotations

from pipelines.embed.encoders.forward_passes import environment
from pipelines.embed.encoders.spec import EncoderOptions

OPTIONS = EncoderOptions("fp32", 4, "cpu")


def test_the_batch_shape_and_device_are_recorded():
    assert environment(OPTIONS, 8)["batch_shape"] == [4, 3, 8, 8]
    assert environment(OPTIONS, 8)["device"] == "cpu"


def test_the_number_of_a_device_is_not_recorded():
    assert environment(EncoderOptions("fp32", 4, "cuda:1"), 8)["device"] == "cuda"
