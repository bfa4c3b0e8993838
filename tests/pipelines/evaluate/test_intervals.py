from __future__ import annotations

import numpy as np
import pytest

from pipelines.evaluate.intervals import (
    DRAWS,
    between,
    harmonic,
    interval,
    is_constant,
    is_degenerate,
    resampled,
    too_few,
    wilson,
)


def test_whole_recordings_are_drawn_as_a_slow_reference_draws_them() -> None:
    recordings = {"a": (9, 10), "b": (1, 20), "c": (3, 5), "d": (0, 2)}
    rng = np.random.default_rng(5)
    names = list(recordings)
    slow = []
    for _ in range(20_000):
        drawn = [recordings[names[index]] for index in rng.integers(4, size=4)]
        slow.append(100 * sum(right for right, _ in drawn) / sum(clips for _, clips in drawn))
    fast = resampled(recordings)
    assert fast.shape == (DRAWS,)
    assert np.percentile(fast, (10, 50, 90)) == pytest.approx(np.percentile(slow, (10, 50, 90)), abs=1.5)


def test_clips_that_agree_within_recordings_give_a_wider_interval_than_as_many_that_do_not() -> None:
    low, high = interval(resampled({str(k): (10 * (k % 2), 10) for k in range(40)})) or (0, 0)
    lower, higher = interval(resampled({str(k): (5, 10) for k in range(40)})) or (0, 0)
    assert high - low == pytest.approx(2 * 1.96 * 100 * 0.5 / np.sqrt(40), rel=0.1)
    assert (lower, higher) == (50, 50)


def test_the_same_recordings_in_another_order_give_the_same_draws_and_another_stream_others() -> None:
    one = {"a": (1, 2), "b": (0, 3), "c": (2, 2)}
    assert np.array_equal(resampled(one), resampled(dict(reversed(one.items()))))
    assert not np.array_equal(resampled(one), resampled(one, stream=1))


def test_without_clips_there_is_no_interval() -> None:
    assert interval(resampled({})) is None
    assert interval(resampled({"a": (0, 0)})) is None
    assert interval(harmonic(resampled({}), resampled({"a": (1, 2)}))) is None


def test_the_harmonic_mean_is_taken_draw_by_draw() -> None:
    assert harmonic(np.array([50.0, 0.0, 0.0]), np.array([25.0, 10.0, 0.0])) == pytest.approx([100 / 3, 0, 0])


def test_fewer_than_30_recordings_or_100_clips_are_too_few() -> None:
    assert not too_few({str(k): (1, 4) for k in range(30)})
    assert too_few({str(k): (1, 10) for k in range(29)})
    assert too_few({str(k): (1, 3) for k in range(33)})
    assert too_few({**{str(k): (1, 10) for k in range(29)}, "empty": (0, 0)})


def test_a_recording_without_a_clip_is_drawn_where_that_is_asked_for() -> None:
    counts = {"a": (1, 2), "b": (0, 0)}
    assert resampled(counts).tolist() == [50.0] * DRAWS
    drawn = resampled(counts, all_names=True)
    assert np.isnan(drawn).mean() == pytest.approx(1 / 4, abs=0.02)
    assert set(drawn[np.isfinite(drawn)]) == {50.0}


@pytest.mark.parametrize(
    "counts",
    [
        {f"v{k}": (0, 2 + k) for k in range(12)},
        {f"v{k}": (3, 3) for k in range(12)},
        {"a": (3, 7), "b": (0, 0)},
        {"a": (1, 3), "b": (2, 6)},
    ],
    ids=["none right", "all right", "one recording", "equal shares"],
)
def test_a_bootstrap_without_spread_is_known_from_the_counts(counts: dict[str, tuple[int, int]]) -> None:
    assert is_degenerate(counts)
    assert is_constant(resampled(counts))


def test_one_clip_of_twelve_gives_the_bootstrap_a_spread() -> None:
    counts = {f"v{k}": (int(k == 0), 1) for k in range(12)}
    assert not is_degenerate(counts)
    assert not is_constant(resampled(counts))
    assert not is_degenerate({})
    assert not is_constant(np.zeros(0))


def test_the_wilson_interval_is_the_one_of_the_textbook_where_recordings_are_of_one_size() -> None:
    # 0 of 10 and 3 of 12 as in Newcombe, Statistics in Medicine 17, 1998, method 3.
    assert wilson(0, {f"v{k}": (0, 7) for k in range(10)}) == pytest.approx((0, 27.75), abs=0.01)
    assert wilson(25, {f"v{k}": (1, 4) for k in range(12)}) == pytest.approx((8.89, 53.23), abs=0.01)
    assert wilson(100, {f"v{k}": (7, 7) for k in range(10)}) == pytest.approx((72.25, 100), abs=0.01)


def test_clips_of_one_recording_count_as_one_observation_and_unequal_recordings_as_fewer() -> None:
    assert wilson(0, {"a": (0, 500)}) == wilson(0, {"a": (0, 1)}) == pytest.approx((0, 79.35), abs=0.01)
    equal, unequal = {"a": (0, 10), "b": (0, 10)}, {"a": (0, 19), "b": (0, 1)}
    assert wilson(0, equal)[1] < wilson(0, unequal)[1] < wilson(0, {"a": (0, 20)})[1]
    assert wilson(0, unequal) == wilson(0, {**unequal, "without a clip": (0, 0)})


def test_the_kind_of_an_interval_is_said_beside_it() -> None:
    assert between((12.04, 30.5), "bootstrap") == "12.0–30.5"
    assert between((0.0, 39.0), "wilson") == "0.0–39.0 w"
    assert between(None, "degenerate") == "no interval"
    assert between(None, None) == ""
