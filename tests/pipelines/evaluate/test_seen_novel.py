from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.evaluate.metrics_file import Means
from pipelines.evaluate.seen_novel import by_scores, novel_called_shared, parts_of, shared_novel_means
from tests.pipelines.evaluate.hand_made import scored, vocabulary

# Classes 0 (supported) and 1 (unsupported) are shared, 2 and 3 novel.
SPLIT = vocabulary([[7], [8], [], []], [5, 0, 0, 0])
SCORES = [
    [5, 1, 0, 0],  # class 0, right
    [1, 2, 9, 0],  # class 1: right among the shared ones, of all it is class 2
    [9, 0, 2, 1],  # class 2: right among the novel ones, of all it is class 0
    [0, 0, 5, 4],  # class 3: wrong in both, but called novel
    [0, 0, 1, 4],  # class 3, right
]
CLIPS = scored(SCORES, [0, 1, 2, 3, 3], ["x", "x", "y", "y", "y"], official=[0, 1, 2, 3, 3, 3])


def test_restricted_lets_the_classes_of_the_part_compete_and_unrestricted_all_of_them() -> None:
    parts = parts_of(CLIPS, SPLIT, by_scores(CLIPS))
    percents = {name: (part.restricted.percent, part.unrestricted.percent) for name, part in parts.items()}
    assert percents["shared"] == (100.0, 50.0)
    assert percents["supported"] == (100.0, 100.0)
    assert percents["unsupported"] == (100.0, 0.0)
    assert percents["novel"] == pytest.approx((200 / 3, 100 / 3))
    assert {name: part.classes for name, part in parts.items()} == {
        "shared": 2,
        "supported": 1,
        "unsupported": 1,
        "novel": 2,
    }


def test_a_part_counts_its_own_clips_and_recordings() -> None:
    novel = parts_of(CLIPS, SPLIT, by_scores(CLIPS))["novel"].unrestricted
    assert (novel.n_evaluated, novel.n_official, novel.recordings) == (3, 4, {"y": (1, 3)})


def test_the_mean_of_shared_and_novel_is_harmonic() -> None:
    means = shared_novel_means(parts_of(CLIPS, SPLIT, by_scores(CLIPS)))
    assert (means.restricted, means.unrestricted) == (pytest.approx(80.0), pytest.approx(40.0))


def test_novel_clips_that_get_a_shared_class_are_counted() -> None:
    called = novel_called_shared(CLIPS, SPLIT)
    assert (called.percent, called.recordings, called.n_official) == (pytest.approx(100 / 3), {"y": (1, 3)}, 4)


def test_support_that_is_not_known_is_none_and_an_empty_part_has_no_percentage() -> None:
    unknown = vocabulary([[0], [1], [2], [3]], None)
    parts = parts_of(CLIPS, unknown, by_scores(CLIPS))
    assert (parts["supported"], parts["unsupported"]) == (None, None)
    assert parts["novel"].restricted.percent is None
    assert shared_novel_means(parts) == Means(restricted=None, unrestricted=None)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_restricting_never_makes_a_clip_wrong_and_parts_add_up_to_the_whole(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, 12).tolist()
    clips = scored(rng.integers(0, 3, (12, 4)), truth, ["a", "b", "c"] * 4)
    parts = parts_of(clips, SPLIT, by_scores(clips))
    for part in parts.values():
        for recording, (right, count) in part.unrestricted.recordings.items():
            assert right <= part.restricted.recordings[recording][0] <= count
    rights = {name: sum(right for right, _ in part.unrestricted.recordings.values()) for name, part in parts.items()}
    assert rights["shared"] + rights["novel"] == int((clips.ranks == 0).sum())
    assert rights["supported"] + rights["unsupported"] == rights["shared"]
