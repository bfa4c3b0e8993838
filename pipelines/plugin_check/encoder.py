"""Try the promises of an encoder on pictures of noise."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from pipelines.decode.stored_frames import prefetch
from pipelines.embed.encoders import describe_encoder, load_encoder
from pipelines.embed.encoders.spec import EncoderIdentity
from pipelines.plugin_check.promise import NotTried, Promise, expect, expect_folder_name, expect_plain

_OPTIONS: dict[str, Any] = {
    "precision": "fp32",
    "batch_size": 4,
    "device": "cpu",
    "offline": True,
    "allow_random_weights": True,
}
_THREADS, _ROUNDS = 4, 8
_SIZES = ((48, 64), (64, 48), (240, 320), (97, 33), (64, 64), (50, 50))


def promises(spec: str) -> list[Promise]:
    """List the promises of an encoder, with their trials."""
    trial = _Trial(spec)
    return [
        Promise("describes itself: a folder name and plain provenance", trial.describes_itself, True),
        Promise("describes itself the same again", trial.is_stable),
        Promise("loads, and knows its width", trial.loads, True),
        Promise("gives finite float32 vectors [n, D] that fit in float16", trial.gives_vectors, True),
        Promise("gives raw vectors, not normalised ones", trial.is_raw),
        Promise("gives a picture the same vector whatever pictures are beside it", trial.ignores_neighbours),
        Promise("prepares pictures in several threads as it does one by one", trial.prepares_in_threads),
        Promise("gives the same vectors when it is loaded again", trial.is_repeatable),
        Promise("embeds texts, and has a logit scale", trial.embeds_texts),
    ]


class _Trial:
    def __init__(self, spec: str) -> None:
        self._spec = spec

    def _describe(self) -> EncoderIdentity:
        return describe_encoder(self._spec, **_OPTIONS)

    def describes_itself(self) -> None:
        found = self._describe()
        expect_folder_name(found.slug, "slug")
        expect_plain(found.provenance, "provenance")
        expect_plain(found.text_provenance, "text_provenance")
        expect(found.provenance.get("spec"), "provenance has no spec: what --encoder is to name it by")
        expect(found.provenance.get("normalised") is False, "provenance must say normalised: False")

    def is_stable(self) -> None:
        expect(self._describe() == self._describe(), "two calls of describe differ: no time and no host may be in it")

    @cached_property
    def _model(self) -> Any:
        return load_encoder(self._spec, **_OPTIONS)

    def loads(self) -> None:
        dim = self._model.dim
        expect(isinstance(dim, int) and dim > 0, f"dim is {dim!r}; expected the width of its vectors")

    @cached_property
    def _pictures(self) -> list[np.ndarray]:
        draw = np.random.default_rng(0)
        return [draw.integers(0, 256, (*size, 3), np.uint8) for size in _SIZES]

    def _inputs(self, model: Any) -> list[Any]:
        return [model.preprocess(picture) for picture in self._pictures]

    @cached_property
    def _vectors(self) -> np.ndarray:
        vectors: np.ndarray = self._model.embed(self._inputs(self._model))
        return vectors

    def gives_vectors(self) -> None:
        found, shape = self._vectors, (len(_SIZES), self._model.dim)
        expect(isinstance(found, np.ndarray) and found.shape == shape, f"found {np.shape(found)}; expected {shape}")
        expect(found.dtype == np.float32, f"vectors are {found.dtype}")
        with np.errstate(over="ignore"):
            expect(np.isfinite(found.astype(np.float16)).all(), "some value is not finite in float16")

    def is_raw(self) -> None:
        norms = np.linalg.norm(self._vectors, axis=1)
        expect(not np.allclose(norms, 1, atol=1e-3), "every vector has length 1; store them before normalisation")

    def ignores_neighbours(self) -> None:
        inputs = self._inputs(self._model)
        alone = np.concatenate([self._model.embed(inputs[index : index + 1]) for index in range(len(inputs))])
        difference = float(np.abs(alone - self._vectors).max())
        expect(difference == 0, f"alone they differ by up to {difference:.3g}; pad every batch to one fixed shape")

    def prepares_in_threads(self) -> None:
        found = self._model.embed(list(prefetch(self._pictures * _ROUNDS, self._model.preprocess, _THREADS)))
        same = np.array_equal(found, np.tile(self._vectors, (_ROUNDS, 1)))
        expect(same, "they differ: preprocess may keep nothing between its calls, --workers threads call it at once")

    def is_repeatable(self) -> None:
        again = load_encoder(self._spec, **_OPTIONS)
        expect(np.array_equal(again.embed(self._inputs(again)), self._vectors), "they differ")

    def embeds_texts(self) -> None:
        if not self._describe().text_provenance:
            raise NotTried("text_provenance is empty: it has no text tower")
        found = np.asarray(self._model.encode_texts(["cut", "bread board"]))
        shape = (2, self._model.dim)
        expect(found.shape == shape, f"found {found.shape}; expected {shape}")
        expect(np.isfinite(found).all(), "some value is not finite")
        scale = self._model.logit_scale
        expect(scale is not None and 0 < scale < np.inf, f"logit_scale is {scale!r}; expected exp of what it stores")
