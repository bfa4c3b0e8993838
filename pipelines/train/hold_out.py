"""Recordings of the training split that are held out, to choose the learning rate and the epoch by."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from data_manifests.errors import InputError
from pipelines.engine.digest import number_of


def hold_out(recordings: Sequence[str], percent: float) -> np.ndarray:
    """Which clips are held out: whole recordings, chosen by a hash of their ids, for every method and seed the same.

    Args:
        recordings: the recording of each clip, M ids.
        percent: of the recordings, rounded up.

    Returns:
        bool [M].

    Raises:
        InputError: there is no recording left to train on.
    """
    names = sorted(set(recordings), key=lambda name: (number_of(f"source-val/{name}"), name))
    held = names[: math.ceil(len(names) * percent / 100)]
    if len(held) == len(names):
        raise InputError(
            f"--source-val {percent:g}%: {len(held)} of {len(names)} recordings would be held out and none trained on. "
            "Prepare more recordings, or hold out fewer."
        )
    return np.isin(np.array(recordings), held)
