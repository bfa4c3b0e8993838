from __future__ import annotations

import numpy as np
import pytest

from data_manifests.errors import InputError
from pipelines.train.hold_out import hold_out

RECORDINGS = [f"P{n // 5:02d}_{n % 3}" for n in range(100)]


def test_whole_recordings_are_held_out_and_always_the_same() -> None:
    held = hold_out(RECORDINGS, 20)
    assert np.array_equal(held, hold_out(RECORDINGS, 20))
    names = np.array(RECORDINGS)
    assert not set(names[held]) & set(names[~held])
    assert len(set(names[held])) == 12  # 20 % of 60


def test_which_recordings_are_held_out_does_not_depend_on_their_order_or_clips() -> None:
    order = np.random.default_rng(0).permutation(100)
    shuffled = [RECORDINGS[i] for i in order]
    assert np.array_equal(hold_out(shuffled, 20), hold_out(RECORDINGS, 20)[order])


def test_holding_out_more_keeps_what_was_held_out_before() -> None:
    assert (hold_out(RECORDINGS, 50) | ~hold_out(RECORDINGS, 10)).all()


def test_a_small_share_holds_out_one_recording_and_the_last_is_never_taken() -> None:
    assert hold_out(["a", "b", "b"], 1).sum() in (1, 2)
    with pytest.raises(InputError, match="--source-val 10%: 1 of 1 recordings would be held out and none trained on"):
        hold_out(["a", "a"], 10)
