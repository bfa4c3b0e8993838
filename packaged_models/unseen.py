"""Clips of people, kitchens and things that no written world has."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pocket_kitchens.drawing.spec import ClipSpec
from pocket_kitchens.world import INSTANCES, KITCHENS, PEOPLE


def unseen_clip(rng: np.random.Generator, verb: str, noun: str, others: Iterable[str], frames: int) -> ClipSpec:
    """Draw a clip of unseen people, kitchen and things.

    Args:
        rng: decides the person, the kitchen and the instance of each kind of thing.
        verb: the motion.
        noun: kind of the thing that is acted on.
        others: kinds of the other things on the worktop.
        frames: number of frames.
    """
    return ClipSpec(
        seed=int(rng.integers(2**62)),
        verb=verb,
        noun=noun,
        instance=_one(INSTANCES["pretraining"], rng),
        distractors=tuple((str(kind), _one(INSTANCES["pretraining"], rng)) for kind in others),
        kitchen=_one(KITCHENS["pretraining"], rng),
        person=_one(PEOPLE["pretraining"], rng),
        frames=frames,
    )


def _one(seeds: range, rng: np.random.Generator) -> int:
    return seeds[int(rng.integers(len(seeds)))]
