from __future__ import annotations

import numpy as np
import pytest

from pipelines.hands.detector import Box
from pipelines.hands.scoring import FALSE_ALARMS, Truth, average_precision, hand_boxes, overlap, score


def box(x: float, value: float, side: str | None = None, kind: str = "hand") -> Box:
    """A box of a fifth of the frame's sides at x."""
    return Box(x, 0.1, x + 0.2, 0.3, value, side, kind)  # type: ignore[arg-type]


def hands(*places: float, difficult: tuple[bool, ...] = ()) -> Truth:
    boxes = np.array([[x, 0.1, x + 0.2, 0.3] for x in places]).reshape(-1, 4)
    return Truth(boxes, np.array(difficult or (False,) * len(places), bool))


def test_overlap_is_shared_area_over_joint_area() -> None:
    one = np.array([[0, 0, 1, 1.0]])
    assert overlap(one, np.array([[0.5, 0, 1.5, 1], [2, 2, 3, 3], [0, 0, 1, 1]])).tolist() == [
        [pytest.approx(1 / 3), 0, 1]
    ]


def test_average_precision_is_the_area_under_the_envelope() -> None:
    # Right, wrong, right of three hands: precision 1 up to a third, 2/3 up to two thirds.
    assert average_precision(np.array([True, False, True]), 3) == pytest.approx((1 + 2 / 3) / 3)
    assert average_precision(np.array([], bool), 2) == 0
    assert average_precision(np.array([False]), 0) is None


def test_every_hand_found_and_nothing_else_is_perfect() -> None:
    found = score([[box(0.1, 0.9), box(0.6, 0.4)], []], [hands(0.1, 0.6), hands()])
    assert (found.frames, found.hands, found.ap) == (2, 2, 1.0)
    assert found.recalls == (1.0,) * len(FALSE_ALARMS)
    assert found.thresholds == (0.4,) * len(FALSE_ALARMS)


def test_a_second_box_of_a_hand_is_a_false_alarm() -> None:
    shifted = Box(0.16, 0.1, 0.36, 0.3, 0.8)
    found = score([[box(0.1, 0.9), shifted]], [hands(0.1)])
    assert found.ap == 1.0
    assert found.recalls == (1.0,) * 4
    assert found.thresholds == (0.9, 0.9, 0.9, 0.8)


def test_recall_is_told_where_false_alarms_are_few_enough() -> None:
    # Ten frames: an alarm at 0.9, a hand at 0.8, another alarm and a hand at 0.5.
    frames = [[box(0.1, 0.9)], [box(0.1, 0.8)], [box(0.1, 0.5)], [box(0.1, 0.5)], *[[]] * 6]
    truth = [hands(), hands(0.1), hands(), hands(0.1), *[hands()] * 6]
    found = score(frames, truth)
    assert found.recalls == (0.0, 0.5, 1.0, 1.0)
    assert found.thresholds == (None, 0.8, 0.5, 0.5)


def test_difficult_hands_are_neither_hits_nor_misses() -> None:
    found = score([[box(0.1, 0.9), box(0.6, 0.8)]], [hands(0.1, 0.6, difficult=(True, False))])
    assert (found.hands, found.ap) == (1, 1.0)
    assert score([[]], [hands(0.1, difficult=(True,))]).ap is None


def test_a_hand_found_as_left_and_right_is_found_once_and_objects_do_not_count() -> None:
    boxes = [box(0.1, 0.6, "left"), box(0.1, 0.7, "right"), box(0.5, 0.9, kind="object")]
    assert [one.score for one in hand_boxes(boxes)] == [0.7]
    assert score([boxes], [hands(0.1)]).recalls[0] == 1.0


def test_boxes_that_fit_badly_miss() -> None:
    assert score([[box(0.3, 0.9)]], [hands(0.1)]).ap == 0
