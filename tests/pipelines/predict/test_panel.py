from __future__ import annotations

import numpy as np
import pytest

from pipelines.predict.answer import Answer, ClipAnswers
from pipelines.predict.panel import Panel

_WORDS = [Answer("cup", 0.6, 1.0), Answer("jar", 0.3, 0.5), Answer("pot", 0.1, 0.0)]


def clip(start: float, stop: float | None, **more: object) -> ClipAnswers:
    values = {"answers": {"noun": _WORDS, "verb": _WORDS}, "none_of_these": (), "failed": None, **more}
    return ClipAnswers("a.mp4", start, stop, None, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [64, 257, 1280])
def test_it_is_as_wide_as_the_picture_and_of_even_height(width: int) -> None:
    page = Panel([clip(0, None)], 10.0, width).at(5.0)
    assert page.shape[1:] == (width, 3)
    assert page.shape[0] % 2 == 0


def test_of_clips_that_overlap_the_one_whose_middle_is_nearest_shows() -> None:
    panel = Panel([clip(2, 6), clip(0, 4), clip(8, 9)], 10.0, 200)
    assert [panel.current(time) for time in (0.0, 2.5, 3.5, 5.9, 6.0, 8.5, 9.5)] == [0, 0, 1, 1, None, 2, None]


def test_the_cursor_stands_where_the_video_is_and_the_clip_is_lit() -> None:
    panel = Panel([clip(0, 5), clip(5, 10)], 10.0, 200)
    early, late = panel.at(2.0)[-1].astype(int), panel.at(7.5)[-1].astype(int)
    assert np.flatnonzero((early == 255).all(axis=1)).tolist() == [39, 40]
    assert np.flatnonzero((late == 255).all(axis=1)).tolist() == [149, 150]
    assert (early[10] == late[110]).all()
    assert (early[10] != late[10]).any()


def test_doubt_and_failure_are_drawn_otherwise_than_answers() -> None:
    pages = [
        Panel([clip(0, 1, **more)], 1.0, 300).at(0.5)
        for more in ({}, {"none_of_these": ("noun",)}, {"answers": {}, "failed": "past_end: too late"})
    ]
    assert (pages[0] != pages[1]).any()
    assert (pages[0][:, 150:-1] == pages[1][:, 150:-1]).all()
    assert (pages[2] != pages[0]).any()
