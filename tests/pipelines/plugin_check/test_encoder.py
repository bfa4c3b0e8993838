from __future__ import annotations

import threading

import numpy as np
import pytest

from pipelines.embed.encoders import spec
from pipelines.embed.encoders.spec import EncoderIdentity
from pipelines.plugin_check.encoder import promises
from pipelines.plugin_check.promise import try_all

FACTS = {"spec": "own", "normalised": False}


class Good:
    dim = 3
    logit_scale = 100.0

    def __init__(self, name, options):
        self.options = options

    @classmethod
    def describe(cls, name, options):
        return EncoderIdentity("own-00000000", FACTS, FACTS, {})

    def preprocess(self, picture):
        return picture.reshape(-1, 3).mean(0)

    def embed(self, inputs):
        return np.stack(inputs).astype(np.float32)

    def encode_texts(self, texts):
        return np.array([[len(text), 1, 2] for text in texts], np.float32)


class WithPath(Good):
    @classmethod
    def describe(cls, name, options):
        return EncoderIdentity("own", {**FACTS, "file": "/home/me/weights.pt"}, FACTS, {})


class BadFolder(Good):
    @classmethod
    def describe(cls, name, options):
        return EncoderIdentity("own/1", FACTS, FACTS, {})


class Normalised(Good):
    def embed(self, inputs):
        vectors = super().embed(inputs)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class TooLarge(Good):
    def embed(self, inputs):
        return super().embed(inputs) * 1e6


class LooksAround(Good):
    def embed(self, inputs):
        return super().embed(inputs) + np.float32(len(inputs))


class KeepsThePicture(Good):
    several = threading.Barrier(4)

    def preprocess(self, picture):
        self.picture = picture
        if threading.current_thread() is not threading.main_thread():
            self.several.wait(60)
        return super().preprocess(self.picture)


class Changing(Good):
    count = 0

    def __init__(self, name, options):
        super().__init__(name, options)
        Changing.count += 1

    def embed(self, inputs):
        return super().embed(inputs) + np.float32(Changing.count)


class NoText(Good):
    @classmethod
    def describe(cls, name, options):
        return EncoderIdentity("own", FACTS, {}, {})


class NoScale(Good):
    logit_scale = None


def verdicts(name):
    return try_all(promises(f"{__name__}:{name}"))


def test_a_good_one_keeps_all_and_the_packaged_one_too():
    assert all(item.kept for item in verdicts("Good"))
    assert all(item.kept for item in try_all(promises(spec.POCKET)))


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("WithPath", "provenance holds the absolute path"),
        ("BadFolder", "slug is 'own/1'"),
        ("Normalised", "every vector has length 1"),
        ("TooLarge", "some value is not finite in float16"),
        ("LooksAround", "pad every batch to one fixed shape"),
        ("KeepsThePicture", "preprocess may keep nothing between its calls"),
        ("Changing", "they differ"),
        ("NoScale", "logit_scale is None"),
    ],
)
def test_each_broken_promise_is_found_and_explained(name, detail):
    broken = [item.detail for item in verdicts(name) if item.kept is False]
    assert detail in broken[0], broken


def test_one_without_a_text_tower_is_good_as_second_encoder():
    *others, text = verdicts("NoText")
    assert all(item.kept for item in others)
    assert text.kept is None
