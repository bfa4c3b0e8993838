"""Try the promises of a hand detector on pictures of noise."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.chain.stages import detector_settings
from pipelines.engine.digest import whole_file_sha256
from pipelines.engine.machine import Machine
from pipelines.hands.detector import MIN_SCORE, Box, Detector, DetectorIdentity, describe_detector, load_detector
from pipelines.hands.options import HandsOptions
from pipelines.plugin_check.promise import Promise, expect, expect_folder_name, expect_plain

_SIZES = ((48, 64), (64, 48), (240, 320), (97, 33), (64, 64))


def promises(spec: str, weights: Path | None = None) -> list[Promise]:
    """List the promises of a detector, with their trials.

    The detector gets the same options as from ``xmic detect-hands``, on the CPU.

    Args:
        spec: ``package.module:Class``.
        weights: its ``--weights``.
    """
    trial = _Trial(
        spec, detector_settings(HandsOptions(detector=spec, weights=weights), Machine(device="cpu"), whole_file_sha256)
    )
    return [
        Promise("describes itself: a folder name and plain provenance", trial.describes_itself, True),
        Promise("describes itself the same again", trial.is_stable),
        Promise("gives a list of boxes for each picture", trial.gives_boxes, True),
        Promise(f"gives scores of {MIN_SCORE} and more, best first", trial.sorts_by_score),
        Promise("gives a picture the same boxes whatever pictures are beside it", trial.ignores_neighbours),
        Promise("gives the same boxes when it is loaded again", trial.is_repeatable),
    ]


class _Trial:
    def __init__(self, spec: str, settings: Mapping[str, Any]) -> None:
        self._spec, self._settings = spec, settings

    def _describe(self) -> DetectorIdentity:
        return describe_detector(self._spec, **self._settings)

    def describes_itself(self) -> None:
        found = self._describe()
        expect_folder_name(found.slug, "slug")
        expect_plain(found.provenance, "provenance")
        expect(found.provenance.get("detector"), "provenance has no detector: its name in tables")

    def is_stable(self) -> None:
        expect(self._describe() == self._describe(), "two calls of describe differ: no time and no host may be in it")

    def _load(self) -> Detector:
        return load_detector(self._spec, **self._settings)

    @cached_property
    def _pictures(self) -> list[np.ndarray]:
        draw = np.random.default_rng(0)
        return [draw.integers(0, 256, (*size, 3), np.uint8) for size in _SIZES]

    @cached_property
    def _boxes(self) -> list[list[Box]]:
        return self._load().detect(self._pictures)

    def gives_boxes(self) -> None:
        found = self._boxes
        expect(len(found) == len(_SIZES), f"{len(found)} lists for {len(_SIZES)} pictures")
        other = [box for boxes in found for box in boxes if not isinstance(box, Box)]
        expect(not other, f"found {other[:1]}; expected pipelines.hands.detector.Box")

    def sorts_by_score(self) -> None:
        for boxes in self._boxes:
            scores = [box.score for box in boxes]
            expect(all(score >= MIN_SCORE for score in scores), f"a score of {min(scores, default=1)}")
            expect(scores == sorted(scores, reverse=True), f"scores in the order {scores[:5]}")

    def ignores_neighbours(self) -> None:
        detector = self._load()
        alone = [detector.detect([picture])[0] for picture in self._pictures]
        expect(alone == self._boxes, "alone they differ; pad every batch to one fixed shape")

    def is_repeatable(self) -> None:
        expect(self._load().detect(self._pictures) == self._boxes, "they differ")
