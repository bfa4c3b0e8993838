from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipelines.predict.answer import Answer, ClipAnswers
from pipelines.predict.lanes import Span
from pipelines.predict.lettering import GREY
from pipelines.predict.panel import Panel
from pipelines.predict.seen import Seen
from tests.pipelines.predict.laid_out import lanes_of

_WORDS = [Answer("cup", 0.6, 1.0), Answer("jar", 0.3, 0.5), Answer("pot", 0.1, 0.0)]
_SIZE = (640, 360)


def clip(start: float, stop: float | None, **more: Any) -> ClipAnswers:
    values = {"answers": {"noun": _WORDS, "verb": _WORDS}, "none_of_these": (), "failed": None, **more}
    return ClipAnswers("a.mp4", start, stop, None, **values)


def panel(*clips: ClipAnswers, duration_s: float = 10.0, none_below: float | None = None, **more: Any) -> Panel:
    given = {"truth": {}, "size": _SIZE, "note": "", **more}
    return Panel(lanes_of(clips, duration_s, none_below), **given)


def has(page: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return (page == colour).all(axis=2)


@pytest.mark.parametrize("size", [(64, 48), (257, 144), (640, 360), (1280, 720), (720, 1280)])
def test_it_is_as_wide_as_the_picture_of_even_height_and_leaves_the_picture_the_larger_part(
    size: tuple[int, int],
) -> None:
    drawn = panel(clip(0, None), size=size)
    page = drawn.at(5.0, None)
    assert page.shape == (drawn.height, size[0], 3)
    assert page.shape[0] % 2 == 0
    assert page.shape[0] < max(0.6 * size[1], 200)


def test_the_cursor_is_where_the_video_is() -> None:
    drawn = panel(clip(0, 5), clip(5, 10))
    columns = [np.flatnonzero(has(drawn.at(time, None), (255, 255, 255)).sum(axis=0) > 25) for time in (0.0, 2.5, 7.5)]
    first, early, late = (int(found[0]) for found in columns)
    assert (late - first) / (early - first) == pytest.approx(3, abs=0.05)


def test_a_word_has_one_colour_in_its_bar_its_segment_and_its_true_segment() -> None:
    drawn = panel(clip(0, 5))
    colour = drawn.word_colour("noun", "cup")
    page = drawn.at(1.0, None)
    true = panel(clip(0, 5), truth={"noun": [Span(6.0, 8.0, "cup")], "verb": []}).at(1.0, None)
    assert has(true, colour).sum() > has(page, colour).sum() > 0
    assert true.shape[0] > page.shape[0]


def test_what_is_below_the_limit_is_grey() -> None:
    sure, doubtful = panel(clip(0, 10)), panel(clip(0, 10), none_below=0.7)
    assert has(sure.at(1.0, None), sure.word_colour("noun", "cup")).any()
    assert doubtful.word_colour("noun", "cup") == GREY
    assert has(doubtful.at(1.0, None), GREY).sum() > 2 * has(sure.at(1.0, None), GREY).sum()


def test_a_failure_is_written_in_place_of_the_bars() -> None:
    failed = panel(clip(0, 10, answers={}, failed="past_end: too late"), clip(0, 2))
    answered, not_answered = failed.at(1.0, None), failed.at(5.0, None)
    colour = failed.word_colour("noun", "cup")
    above = slice(0, failed.height // 2)
    assert has(answered[above], colour).any()
    assert not has(not_answered[above], colour).any()


def test_the_crop_is_shown_while_there_is_a_clip() -> None:
    red = np.zeros((32, 32, 3), np.uint8)
    red[:] = (250, 0, 0)
    seen = Seen([], None, red, "crop")
    drawn = panel(clip(0, 5))
    assert has(drawn.at(1.0, seen), (250, 0, 0)).sum() > 1000
    assert not has(drawn.at(6.0, seen), (250, 0, 0)).any()


def test_a_note_is_written_in_the_upper_right_corner() -> None:
    drawn = panel(clip(0, 10)).at(1.0, None), panel(clip(0, 10), note="no hands").at(1.0, None)
    rows, columns = np.nonzero((drawn[0] != drawn[1]).any(axis=2))
    assert len(rows) > 20
    assert rows.max() < 40
    assert columns.min() > 320
