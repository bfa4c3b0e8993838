"""Refuse a chain whose evaluations across datasets would mix detectors."""

from __future__ import annotations

from typing import Any

from data_manifests.errors import InputError
from pipelines.chain.config import Config
from pipelines.hands.options import IMPORTED, HandsOptions
from pipelines.train.plan import reads_hands


def check_detectors(config: Config) -> None:
    """Refuse trainings whose cross datasets have boxes by another detector.

    The evaluation would be refused after all training is done.

    Raises:
        InputError: the ``[hands]`` of two datasets differ, and ``allow_mixed`` is off.
    """
    if config.evaluate.allow_mixed:
        return
    names = {section.name for section in config.dataset}
    if not all(config.hands_of(name) for name in names):
        return  # such a chain classifies full frames
    for training in config.train:
        if training.dataset not in names or not reads_hands(training):
            continue
        mine = config.hands_of(training.dataset)
        for cross in names.intersection(config.evaluate.cross):
            theirs = config.hands_of(cross)
            if mine and theirs and _made_by(mine) != _made_by(theirs):
                raise InputError(
                    f"[evaluate] cross {cross!r}: its hand boxes are by {_words(theirs)}, those of "
                    f"{training.dataset!r}, which [[train]] {training.method!r} is trained on, by {_words(mine)}. Such "
                    "an evaluation is refused. Give both the same [hands], or set allow_mixed = true under [evaluate]; "
                    "every table then says so."
                )


def _made_by(hands: HandsOptions) -> tuple[Any, ...]:
    """Return what must be equal for boxes to be by one detector."""
    if hands.detector in IMPORTED:
        of_table = (hands.boxes.name, hands.boxes_tolerance) if hands.boxes and hands.detector == "boxes" else ()
        return (hands.detector, *of_table)
    return hands.detector, hands.weights, hands.hand_class, hands.image_size, hands.precision


def _words(hands: HandsOptions) -> str:
    what = hands.weights or hands.boxes
    return f"{hands.detector} with {what}" if what else hands.detector
