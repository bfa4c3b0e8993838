from __future__ import annotations

import numpy as np

from pipelines.predict.answer import Answer, ClipAnswers
from pipelines.predict.contact_sheet import MOST, ContactSheet
from pipelines.predict.lanes import Lanes, Span
from tests.pipelines.predict.laid_out import lanes_of


def lanes(count: int) -> Lanes:
    words = (Answer(f"word {number}", 0.9, 0.0) for number in range(count))
    clips = [ClipAnswers("a", at, at + 1, None, {"noun": [word]}, (), None) for at, word in enumerate(words)]
    return lanes_of(clips, count, None)


def filled(count: int, **truth: list[Span]) -> ContactSheet:
    """A sheet that was offered four frames a second, each of the grey of its second."""
    sheet = ContactSheet(lanes(count), truth)  # type: ignore[arg-type]
    for frame in range(4 * count):
        sheet.offer(frame / 4, np.full((90, 160, 3), 40 + frame // 4, np.uint8), None)
    return sheet


def test_each_answer_has_the_frame_of_its_middle() -> None:
    assert [int(picture[0, 0, 0]) for picture in filled(5).pictures] == [40, 41, 42, 43, 44]


def test_many_answers_are_thinned_out_evenly() -> None:
    shown = [int(picture[0, 0, 0]) - 40 for picture in filled(100).pictures]
    assert len(shown) == MOST
    assert (shown[0], shown[-1]) == (0, 99)
    assert max(np.diff(shown)) - min(np.diff(shown)) <= 1


def test_the_page_has_room_for_every_picture_and_a_line_for_the_truth() -> None:
    page = filled(5).page()
    assert all((page == 40 + number).all(axis=2).sum() >= 90 * 160 for number in range(5))
    assert filled(5, noun=[Span(0, 1, "cup")]).page().shape[0] > page.shape[0]
