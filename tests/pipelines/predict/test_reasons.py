from __future__ import annotations

from typing import Any

import pytest

from pipelines.predict.reasons import Reasons

FACTS = {"time_base_numerator": 1, "time_base_denominator": 10, "first_pts": 100}


def failure(error: str, clip_id: str | None = None, pts: int | None = None) -> dict[str, Any]:
    return {"clip_id": clip_id, "pts": pts, "reason": "broken", "error": error}


def test_a_clips_own_failure_comes_first_then_its_videos_then_that_of_a_frame() -> None:
    frame, video, own = failure("frame", pts=100), failure("video"), failure("own", "a")
    reasons = Reasons([frame, video, own], FACTS)
    assert reasons.of("a", 0.0) == "broken: own"
    assert reasons.of("b", 0.0) == "broken: video"
    assert Reasons([frame, own], FACTS).of("b", 0.0) == "broken: frame"


def test_of_several_the_first_counts() -> None:
    rows = [failure("1", "a"), failure("2", "a"), failure("3"), failure("4"), failure("5", pts=7), failure("6", pts=7)]
    reasons = Reasons(rows, FACTS)
    assert (reasons.of("a", 0.0), reasons.of("b", 0.0)) == ("broken: 1", "broken: 3")
    assert Reasons(rows[4:], FACTS).of("a", 0.0) == "broken: 5"


@pytest.mark.parametrize(
    ("middle", "error"),
    [(0.0, "at 1 s"), (1.4, "at 1 s"), (1.6, "at 2 s"), (2.0, "at 2 s"), (2.5, "at 3 s"), (9.0, "at 3 s")],
)
def test_the_failed_frame_nearest_to_the_middle_is_told_and_of_two_the_first_row(middle: float, error: str) -> None:
    rows = [failure("at 3 s", pts=130), failure("at 1 s", pts=110), failure("at 2 s", pts=120)]
    assert Reasons(rows, FACTS).of("a", middle) == f"broken: {error}"


def test_without_a_failure_its_frames_are_not_all_there() -> None:
    assert Reasons([], FACTS).of("a", 0.0) == "its frames are not all there"
    assert Reasons([failure("own", "a")], None).of("b", 0.0) == "its frames are not all there"
