from __future__ import annotations

import numpy as np

from pipelines.evaluate.cluster_counts import Recordings, counted
from pipelines.evaluate.metrics_file import Counted


def test_clips_are_counted_in_all_and_by_recording() -> None:
    recordings = Recordings.from_ids(["b", "a", "b", "b"])
    assert counted(np.array([True, True, False, True]), recordings, official=5) == Counted(
        percent=75.0, n_evaluated=4, n_official=5, recordings={"a": (1, 1), "b": (2, 3)}
    )


def test_recordings_without_a_clip_of_the_part_are_left_out() -> None:
    recordings = Recordings.from_ids(["a", "b", "b"]).only(np.array([1, 2]))
    assert counted(np.array([False, True]), recordings, 2).recordings == {"b": (1, 2)}


def test_a_chance_of_being_right_is_counted_as_such() -> None:
    found = counted(np.array([0.25, 0.25]), Recordings.from_ids(["a", "a"]), 2)
    assert (found.percent, found.recordings) == (25.0, {"a": (0.5, 2)})


def test_without_clips_there_is_no_percentage() -> None:
    found = counted(np.zeros(0, bool), Recordings.from_ids([]), 3)
    assert found == Counted(percent=None, n_evaluated=0, n_official=3, recordings={})
