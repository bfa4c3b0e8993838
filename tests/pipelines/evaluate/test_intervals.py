from __future__ import annotations

import numpy as np
import pytest

from pipelines.evaluate.intervals import DRAWS, harmonic, interval, resampled, too_few


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
