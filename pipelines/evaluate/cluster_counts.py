"""Count the clips that are right, in all and by recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.evaluate.metrics_file import Counted


@dataclass(frozen=True)
class Recordings:
    """The recording of each of M clips.

    Attributes:
        names: the recordings, sorted.
        of: int64 [M], indices into ``names``.
    """

    names: list[str]
    of: np.ndarray

    @classmethod
    def from_ids(cls, ids: Sequence[str]) -> Recordings:
        """Number the recordings of M clips, given the recording id of each."""
        names, of = np.unique(np.array(ids, object), return_inverse=True)
        return cls(names.tolist(), of.reshape(-1).astype(np.int64))

    def only(self, rows: np.ndarray) -> Recordings:
        """Select some clips by int64 or bool indices."""
        return Recordings(self.names, self.of[rows])


def counted(right: np.ndarray, recordings: Recordings, official: int) -> Counted:
    """Count the clips that are right.

    Args:
        right: [M], bool; for a random reference the probability that it is right, 0 to 1.
        recordings: of the M clips.
        official: how many clips there should be.
    """
    whole = right.dtype == np.bool_
    sums = np.bincount(recordings.of, weights=right, minlength=len(recordings.names)).tolist()
    clips = np.bincount(recordings.of, minlength=len(recordings.names)).tolist()
    return Counted(
        percent=float(100 * np.mean(right)) if len(right) else None,
        n_evaluated=len(right),
        n_official=official,
        recordings={
            name: (int(good) if whole else good, count)
            for name, good, count in zip(recordings.names, sums, clips, strict=True)
            if count
        },
    )
