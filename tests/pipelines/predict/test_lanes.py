from __future__ import annotations

from typing import Any

import pytest

from pipelines.predict.answer import Answer, ClipAnswers
from pipelines.predict.lanes import Span, truth_of
from tests.pipelines.predict.laid_out import lanes_of


def clip(start: float, stop: float | None, cup: float, **more: Any) -> ClipAnswers:
    """A clip that is a cup with this probability, and else a pot."""
    words = sorted([Answer("cup", cup, 0.0), Answer("pot", 1 - cup, 0.0)], key=lambda answer: -answer.probability)
    values = {"name": None, "answers": {"noun": words}, "none_of_these": (), "failed": None, **more}
    return ClipAnswers("a.mp4", start, stop, **values)


FAILED: dict[str, Any] = {"answers": {}, "failed": "past_end: too late"}


def test_windows_that_overlap_are_averaged_word_by_word() -> None:
    lanes = lanes_of([clip(0, 2, 0.9), clip(1, 3, 0.3)], 3.0, None)
    assert [(moment.start_s, moment.stop_s) for moment in lanes.moments] == [(0, 1), (1, 2), (2, 3)]
    best = [[(answer.name, answer.probability) for answer in moment.answers["noun"]] for moment in lanes.moments]
    assert best[0] == [("cup", pytest.approx(0.9)), ("pot", pytest.approx(0.1))]
    assert best[1] == [("cup", pytest.approx(0.6)), ("pot", pytest.approx(0.4))]
    assert best[2] == [("pot", pytest.approx(0.7)), ("cup", pytest.approx(0.3))]


def test_neighbours_with_the_same_word_become_one_segment_with_the_mean_probability() -> None:
    lanes = lanes_of([clip(0, 1, 0.9), clip(1, 4, 0.6), clip(5, 6, 0.8), clip(6, None, 0.2)], 7.0, None)
    assert lanes.segments("noun") == [
        Span(0, 4, "cup", pytest.approx(0.675)),
        Span(5, 6, "cup", pytest.approx(0.8)),
        Span(6, 7, "pot", pytest.approx(0.8)),
    ]


def test_a_moment_is_found_by_its_time_and_none_between_clips() -> None:
    lanes = lanes_of([clip(1, 2, 0.9), clip(3, 4, 0.9)], 5.0, None)
    assert [lanes.at(time) for time in (0.5, 1.0, 1.9, 2.0, 3.0, 4.5)] == [None, 0, 0, None, 1, None]


def test_doubt_is_about_the_average_and_parts_segments() -> None:
    lanes = lanes_of([clip(0, 2, 0.9), clip(1, 3, 0.5)], 3.0, 0.8)
    assert [list(moment.doubtful) for moment in lanes.moments] == [[], ["noun"], ["noun"]]
    assert [(span.stop_s, span.doubtful) for span in lanes.segments("noun")] == [(1, False), (3, True)]


def test_a_failed_clip_is_seen_only_where_no_other_has_an_answer() -> None:
    lanes = lanes_of([clip(0, 2, 0.9, name="tea"), clip(1, 3, 0.0, name="late", **FAILED)], 3.0, None)
    assert [moment.failed for moment in lanes.moments] == [None, None, "past_end: too late"]
    assert [list(moment.names) for moment in lanes.moments] == [["tea"], ["tea"], ["late"]]
    assert [span.word for span in lanes.segments("noun")] == ["cup", None]


def test_true_labels_are_put_in_order_and_cut_each_other_off() -> None:
    found = truth_of([(3, None, "pot"), (0, 4, "cup"), (1, 2, None)], 5.0)
    assert found == [Span(0, 3, "cup"), Span(3, 5.0, "pot")]
