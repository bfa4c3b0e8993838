from __future__ import annotations

import numpy as np
import pytest

from pocket_kitchens.drawing.domains import EGO4D, EPIC, REVERSED
from pocket_kitchens.drawing.motions import Pose, make_motion

VERBS = sorted({*EPIC.verbs, *EGO4D.verbs} - set(REVERSED))
SHARES = np.linspace(0, 1, 61)


def _poses(verb: str, seed: int) -> list[Pose]:
    motion = make_motion(verb, np.random.default_rng(seed))
    return [motion.at(float(share)) for share in SHARES]


@pytest.mark.parametrize("verb", sorted(REVERSED))
def test_a_verb_that_is_another_run_backwards_has_no_motion_of_its_own(verb: str) -> None:
    assert REVERSED[verb] in VERBS
    with pytest.raises(KeyError, match=verb):
        make_motion(verb, np.random.default_rng(0))


@pytest.mark.parametrize("verb", VERBS)
def test_the_thing_stays_in_view_and_the_hand_moves_without_jumps(verb: str) -> None:
    for seed in range(10):
        poses = _poses(verb, seed)
        assert all(0.1 < pose.x < 0.9 and 0.1 < pose.y < 0.7 for pose in poses)
        for before, after in zip(poses, poses[1:], strict=False):
            assert np.hypot(after.x - before.x, after.y - before.y) < 0.12
            if before.hand and after.hand:
                assert np.hypot(after.hand[0] - before.hand[0], after.hand[1] - before.hand[1]) < 0.28


@pytest.mark.parametrize("verb", VERBS)
def test_a_hand_acts_in_most_of_a_clip_and_is_outside_in_a_part_of_it(verb: str) -> None:
    shares = [np.mean([pose.hand is None for pose in _poses(verb, seed)]) for seed in range(40)]
    assert 0.05 < np.mean(shares) < 0.25


def test_what_is_held_is_in_the_hand() -> None:
    for verb in VERBS:
        for pose in _poses(verb, 3):
            if pose.holds:
                assert pose.hand == pytest.approx((pose.x, pose.y), abs=1e-9)


def test_no_hand_comes_into_view_from_nowhere() -> None:
    shares = np.linspace(0, 1, 400)
    for verb in VERBS:
        for seed in range(5):
            motion = make_motion(verb, np.random.default_rng(seed))
            poses = [motion.at(float(share)) for share in shares]
            for before, after in zip(poses, poses[1:], strict=False):
                for one, other in ((before.hand, after.hand), (before.other, after.other)):
                    if (one is None) != (other is None):
                        assert (one or other)[1] > 1.2


def test_motions_differ_from_clip_to_clip_and_verbs_from_each_other() -> None:
    tracks = {str(_poses(verb, seed)) for verb in VERBS for seed in (0, 1)}
    assert len(tracks) == 2 * len(VERBS)
