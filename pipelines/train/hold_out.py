"""Hold out recordings of the training split.

The learning rate and the epoch are chosen on them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from data_manifests.errors import InputError
from pipelines.engine.digest import number_of


def hold_out(recordings: Sequence[str], percent: float) -> np.ndarray:
    """Select the clips to hold out by whole recordings.

    Recordings are chosen by a hash of their ids, so the choice is the same for every method and seed.

    Args:
        recordings: the recording of each clip, M ids.
        percent: of the recordings; their number is rounded up.

    Returns:
        bool [M], True for a clip that is held out.

    Raises:
        InputError: no recording is left to train on.
    """
    names = sorted(set(recordings), key=lambda name: (number_of(f"source-val/{name}"), name))
    held = names[: math.ceil(len(names) * percent / 100)]
    if len(held) == len(names):
        raise InputError(
            f"--source-val {percent:g}%: {len(held)} of {len(names)} recordings would be held out and none trained on. "
            "Prepare more recordings, or hold out fewer."
        )
    return np.isin(np.array(recordings), held)
