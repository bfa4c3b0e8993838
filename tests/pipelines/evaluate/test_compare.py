from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_manifests.errors import InputError
from pipelines.evaluate.compare import Side, compare, holm, p_value, point, side_interval
from pipelines.evaluate.intervals import WITHIN, wilson

CLIPS = {f"v{number}": 10 + number for number in range(12)}


def run(share: float, seed: int = 0) -> dict[str, tuple[int, int]]:
    rng = np.random.default_rng(seed)
    return {name: (int(rng.binomial(clips, share)), clips) for name, clips in CLIPS.items()}


def test_a_side_does_not_differ_from_itself() -> None:
    same = Side([[run(0.5)]])
    found = compare(same, same)
    assert found is not None
    assert (found.difference, found.interval, found.p) == (0, None, None)


def test_what_both_sides_share_cancels() -> None:
    # Recordings range from 0 to 100 %, but in each one or two more of forty are right: 2.5 or 5 points.
    one = {f"v{k}": (2 * k + 1 + k % 2, 40) for k in range(19)}
    other = {f"v{k}": (2 * k, 40) for k in range(19)}
    found = compare(Side([[one]]), Side([[other]]))
    assert found is not None
    assert found.interval is not None
    assert found.difference == pytest.approx(2.5 * 28 / 19)
    assert 2.5 < found.interval[0] < found.difference < found.interval[1] < 5
    assert found.p == pytest.approx(2 / 10_001)


def test_a_difference_without_spread_has_neither_interval_nor_p() -> None:
    one, other = {f"v{k}": (k + 1, 20) for k in range(19)}, {f"v{k}": (k, 20) for k in range(19)}
    found = compare(Side([[one]]), Side([[other]]))
    assert found is not None
    assert (found.difference, found.interval, found.p) == (pytest.approx(5), None, None)


def test_one_recording_has_no_interval_of_a_difference_however_many_seeds_there_are() -> None:
    seeds = [{"a": (right, 20)} for right in (8, 10, 13)]
    found = compare(Side([seeds]), Side([[{"a": (2, 20)}] * 3]))
    assert found is not None
    assert (found.interval, found.p) == (None, None)
    two = {"a": (2, 20), "b": (9, 20)}
    over_both = compare(Side([[two], [seeds[0]]]), Side([[two], [{"a": (2, 20)}]]))
    assert over_both is not None
    assert over_both.interval is None


def test_the_sides_can_be_changed() -> None:
    one, other = Side([[run(0.6, 1)]]), Side([[run(0.4, 2)]])
    there, back = compare(one, other), compare(other, one)
    assert there is not None
    assert back is not None
    assert there.interval is not None
    assert back.interval is not None
    assert there.difference == -back.difference
    assert there.interval == pytest.approx((-back.interval[1], -back.interval[0]))
    assert there.p == back.p


def test_the_harmonic_mean_is_compared_over_both_targets() -> None:
    own = {"a": (5, 10), "b": (5, 10)}
    one, other = (Side([[own], [{"c": (right, 10), "d": (right, 10)}]]) for right in (5, 0))
    found = compare(Side([[own], [{"c": (4, 10), "d": (6, 10)}]]), other)
    assert found is not None
    assert found.difference == 50
    assert found.interval == pytest.approx((2 * 50 * 40 / 90, 2 * 50 * 60 / 110))
    flat = compare(one, other)
    assert flat is not None
    assert (flat.difference, flat.interval) == (50, None)


def test_with_three_seeds_their_spread_widens_the_interval_and_with_two_it_can_not() -> None:
    def side(*shares: float) -> Side:
        return Side([[{name: (round(share * 20), 20) for name in CLIPS} for share in shares]])

    flat = side(0.5, 0.5, 0.5)
    spread, two = compare(side(0.4, 0.5, 0.6), flat), compare(side(0.4, 0.6), side(0.5, 0.5))
    assert spread is not None
    assert two is not None
    assert spread.difference == pytest.approx(0)
    assert spread.interval == pytest.approx((-10, 10), abs=2)
    assert two.interval is None


def test_other_clips_are_refused_and_the_way_out_is_named() -> None:
    with pytest.raises(InputError, match=r"recording b has 3 here and 0 there.*xmic evaluate --clips FILE"):
        compare(Side([[{"a": (1, 2), "b": (1, 3)}]]), Side([[{"a": (1, 2)}]]))


def test_without_clips_there_is_no_comparison() -> None:
    assert compare(Side([[{}]]), Side([[{}]])) is None


def test_holm_reproduces_a_worked_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_keeps_the_order_never_lowers_and_stays_below_bonferroni(p: list[float]) -> None:
    corrected = holm(p)
    for index, value in enumerate(p):
        assert value <= corrected[index] <= min(1.0, len(p) * value)
    by_size = [corrected[index] for index in sorted(range(len(p)), key=lambda index: p[index])]
    assert by_size == sorted(by_size)


def test_parts_of_one_dataset_are_drawn_with_the_same_recordings() -> None:
    # Where all recordings are drawn together a part that is the other's double has no spread of its own.
    shared = {f"v{k}": (k, 20) for k in range(20)}
    ends, kind = side_interval(Side([[shared], [shared]], (WITHIN, WITHIN), parts=True))
    assert kind == "bootstrap"
    assert ends == pytest.approx(side_interval(Side([[shared]]))[0])
    apart, _ = side_interval(Side([[shared], [shared]]))
    assert apart is not None
    assert ends is not None
    assert apart[1] - apart[0] < ends[1] - ends[0]


def test_a_draw_without_a_clip_of_the_part_is_left_out() -> None:
    rare = {"a": (1, 2), "b": (0, 2), "c": (0, 0)}
    assert side_interval(Side([[rare]], parts=True)) == ((0, 50), "bootstrap")
    found = compare(Side([[rare]], parts=True), Side([[{**rare, "b": (1, 2)}]], parts=True))
    assert found is not None
    assert (found.difference, found.interval) == (-25, (-50, 0))


def test_an_interval_of_one_side_has_the_spread_of_three_seeds_and_not_of_two() -> None:
    seeds = [{"a": (right, 10), "b": (right, 10)} for right in (2, 5, 8)]
    assert side_interval(Side([seeds[:2]])) == (wilson(35, seeds[0]), "wilson")
    assert side_interval(Side([seeds])) == (pytest.approx((20, 80)), "bootstrap")
    assert point(Side([seeds])) == pytest.approx(50)


def test_none_right_in_any_seed_has_a_wilson_interval() -> None:
    none = {name: (0, clips) for name, clips in CLIPS.items()}
    ends, kind = side_interval(Side([[none] * 3]))
    assert kind == "wilson"
    assert ends is not None
    assert ends[0] == 0
    assert 20 < ends[1] < 30


def test_a_harmonic_mean_has_no_interval_where_one_accuracy_has_no_spread() -> None:
    none = {name: (0, clips) for name, clips in CLIPS.items()}
    assert side_interval(Side([[run(0.5)], [none]])) == (None, "degenerate")
    assert side_interval(Side([[run(0.5)], [{"a": (3, 10)}]])) == (None, "degenerate")
    assert side_interval(Side([[run(0.5)], [run(0.2)]]))[1] == "bootstrap"


def test_no_interval_without_a_clip() -> None:
    assert side_interval(Side([[{}]])) == (None, None)
    assert side_interval(Side([[{"a": (0, 0)}]], parts=True)) == (None, None)


def test_p_is_small_where_nearly_all_draws_agree_and_one_where_they_are_even() -> None:
    assert p_value(np.full(9999, 2.0)) == pytest.approx(2 / 10_000)
    assert p_value(np.array([1.0, -1.0] * 50)) == 1.0
    assert p_value(np.array([1.0] * 97 + [-1.0] * 2 + [np.nan])) == pytest.approx(2 * 3 / 100)
