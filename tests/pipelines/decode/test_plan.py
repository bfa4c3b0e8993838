from __future__ import annotations

import hashlib
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_manifests.errors import InputError, UsageError
from pipelines.decode.plan import FramePlan, clip_key, draw_candidates, frame_length_s, nearest_pts

plans = st.builds(FramePlan, segments=st.integers(1, 32), candidates=st.integers(1, 7))


@st.composite
def clips(draw: st.DrawFn) -> tuple[float, float]:
    start = draw(st.floats(0, 1e5))
    return start, start + draw(st.floats(1e-3, 1e4))


@given(plans, clips())
def test_times_lie_inside_the_clip_in_ascending_order(plan: FramePlan, clip: tuple[float, float]) -> None:
    start, stop = clip
    times = plan.times(start, stop)
    assert times.shape == (plan.segments, plan.candidates)
    assert np.all(times >= start)
    assert np.all(times < stop)
    assert np.all(np.diff(times.ravel()) > 0)


@given(plans, clips())
def test_times_are_evenly_spaced_and_each_in_its_own_segment(plan: FramePlan, clip: tuple[float, float]) -> None:
    start, stop = clip
    times = plan.times(start, stop).ravel()
    step = (stop - start) / times.size
    np.testing.assert_allclose(times, start + step * (np.arange(times.size) + 0.5), rtol=0, atol=1e-9)


@given(plans, clips())
def test_an_odd_number_of_candidates_contains_the_centre_of_every_segment(
    plan: FramePlan, clip: tuple[float, float]
) -> None:
    start, stop = clip
    if plan.candidates % 2 == 0:
        assert plan.centre_candidate is None
        return
    centres = FramePlan(segments=plan.segments).times(start, stop)[:, 0]
    assert plan.centre_candidate is not None
    np.testing.assert_allclose(plan.times(start, stop)[:, plan.centre_candidate], centres, rtol=0, atol=1e-9)


def test_a_plan_of_two_segments_and_three_candidates_is_what_the_formula_says() -> None:
    expected = [[10.5, 11.5, 12.5], [13.5, 14.5, 15.5]]
    np.testing.assert_allclose(FramePlan(segments=2, candidates=3).times(10.0, 16.0), expected)


def test_a_clip_of_one_float_step_keeps_its_times_before_the_end() -> None:
    stop = float(np.nextafter(5.0, 6.0))
    assert np.all(FramePlan().times(5.0, stop) == 5.0)


@pytest.mark.parametrize(
    ("start", "stop"), [(2.0, 2.0), (3.0, 2.0), (-1.0, 2.0), (0.0, float("nan")), (0.0, float("inf"))]
)
def test_a_clip_without_length_is_refused_with_its_times(start: float, stop: float) -> None:
    with pytest.raises(InputError, match=rf"clip from {start} s to {stop} s: expected 0 <= start < stop"):
        FramePlan().times(start, stop)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"segments": 0}, "segments is 0; expected a whole number, 1 or more"),
        ({"candidates": -1}, "candidates is -1; expected a whole number, 1 or more"),
        ({"candidates": True}, "candidates is True; expected a whole number"),
        ({"segments": 2.0}, r"segments is 2\.0; expected a whole number"),
        ({"short_side": -256}, "short_side is -256; expected a whole number, 0 or more"),
        ({"short_side": 8}, "short_side is 8 pixels; expected 16 or more, or 0 for the native size"),
        ({"quality": 0}, "quality is 0; expected a whole number from 1 to 100"),
        ({"quality": 101}, "quality is 101; expected a whole number from 1 to 100"),
    ],
)
def test_a_plan_that_can_not_be_is_refused_with_the_value(values: dict, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        FramePlan(**values)


def test_the_slug_names_every_value_of_the_plan() -> None:
    assert FramePlan(candidates=3).slug == "seg16-k3-256px-q95"
    assert FramePlan(segments=8, short_side=0, quality=90).slug == "seg8-k1-native-q90"


def test_a_clip_key_is_the_start_of_the_sha256_of_the_id() -> None:
    assert clip_key("P01_11_0") == int(hashlib.sha256(b"P01_11_0").hexdigest()[:16], 16)


def keys(count: int) -> np.ndarray:
    return np.array([clip_key(f"clip {number}") for number in range(count)], dtype=np.uint64)


@settings(deadline=None)
@given(st.integers(0, 2**63), st.integers(0, 500), st.permutations(range(12)), st.integers(1, 20), st.integers(1, 9))
def test_draws_depend_on_seed_epoch_clip_and_segment_alone(
    seed: int, epoch: int, order: list[int], segments: int, candidates: int
) -> None:
    together = draw_candidates(seed, epoch, keys(12), segments, candidates)
    assert together.shape == (12, segments)
    assert together.min() >= 0
    assert together.max() < candidates
    shuffled = draw_candidates(seed, epoch, keys(12)[order], segments, candidates)
    np.testing.assert_array_equal(shuffled, together[order])
    alone = draw_candidates(seed, epoch, keys(12)[3:4], segments, candidates)
    np.testing.assert_array_equal(alone[0], together[3])
    fewer = draw_candidates(seed, epoch, keys(12), 1, candidates)
    np.testing.assert_array_equal(fewer[:, 0], together[:, 0])


@pytest.mark.parametrize("seed", [0, 1, 2026])
@pytest.mark.parametrize("candidates", [2, 3, 5])
def test_draws_are_uniform_over_candidates_in_every_segment(seed: int, candidates: int) -> None:
    drawn = draw_candidates(seed, 0, keys(4000), 16, candidates)
    expected = 4000 / candidates
    for segment in range(16):
        counts = np.bincount(drawn[:, segment], minlength=candidates)
        # 25 is beyond the 0.9999 quantile of chi-square for up to 4 degrees of freedom.
        assert ((counts - expected) ** 2 / expected).sum() < 25


def test_draws_of_two_epochs_agree_no_more_often_than_chance() -> None:
    first, second = (draw_candidates(7, epoch, keys(4000), 16, 3) for epoch in (0, 1))
    assert abs((first == second).mean() - 1 / 3) < 0.01
    other_seed = draw_candidates(8, 0, keys(4000), 16, 3)
    assert abs((first == other_seed).mean() - 1 / 3) < 0.01


def splitmix64(state: int) -> int:
    mask = (1 << 64) - 1
    mixed = (state + 0x9E3779B97F4A7C15) & mask
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & mask
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & mask
    return mixed ^ (mixed >> 31)


def test_draws_are_splitmix64_of_seed_epoch_clip_and_segment() -> None:
    assert splitmix64(0) == 0xE220A8397B1DCDAF  # the published first value for seed 0
    clip = splitmix64(splitmix64(splitmix64(5) ^ 2) ^ clip_key("clip 0"))
    expected = [(splitmix64(clip ^ segment) >> 32) * 3 >> 32 for segment in range(16)]
    assert draw_candidates(5, 2, keys(1), 16, 3)[0].tolist() == expected


def test_a_draw_without_candidates_is_refused() -> None:
    with pytest.raises(UsageError, match="1 of 0 candidates in 16 segments: expected both 1 or more"):
        draw_candidates(0, 0, keys(1), 16, 0)


@st.composite
def timelines(draw: st.DrawFn) -> tuple[np.ndarray, Fraction, list[int]]:
    gaps = draw(st.lists(st.integers(1, 400), min_size=1, max_size=30))
    first = draw(st.integers(-1000, 1000))
    frames = np.cumsum([first, *gaps]).astype(np.int64)
    # Quarter ticks reach every midpoint exactly.
    wanted = draw(st.lists(st.integers(0, 4 * int(frames[-1] - first) + 3000), min_size=1, max_size=20))
    return frames, Fraction(1, draw(st.sampled_from([64, 512, 1024]))), wanted


@given(timelines())
def test_nearest_pts_wins_and_ties_go_to_the_earlier(case: tuple[np.ndarray, Fraction, list[int]]) -> None:
    frames, tick, quarters = case
    first = int(frames[0])
    times = np.array([float(Fraction(quarter, 4) * tick) for quarter in quarters])
    chosen, past_end = nearest_pts(frames, tick, first, times)
    end = 2 * int(frames[-1]) - int(frames[-2])
    for quarter, pts, past in zip(quarters, chosen, past_end, strict=True):
        at = first + Fraction(quarter, 4)
        assert pts == min(frames.tolist(), key=lambda frame: (abs(frame - at), frame))
        assert past == (at >= end + int(frames[-1] - frames[-2]))
    alone = [nearest_pts(frames, tick, first, time) for time in times]
    assert [pts for pts, _ in alone] == chosen.tolist()
    assert [past for _, past in alone] == past_end.tolist()


def test_a_clip_of_a_long_video_looks_at_the_frames_near_it_only() -> None:
    frames = np.arange(10**12, 10**12 + 200_000 * 512, 512)
    tracemalloc.start()
    chosen, past_end = nearest_pts(frames, Fraction(1, 512), 10**12, np.array([99_999.6, 100_003.5]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ((chosen - 10**12) // 512).tolist() == [100_000, 100_003]
    assert not past_end.any()
    # One byte a frame to see that they ascend.
    assert peak < 3 * len(frames)


def test_a_midpoint_missed_by_rounding_alone_is_still_a_tie() -> None:
    frames, tick = np.array([0, 1001, 2002], dtype=np.int64), Fraction(1, 60000)
    middle = 1001 / 60000 / 2
    for time in (middle, np.nextafter(middle, 1), np.nextafter(middle, 0)):
        assert nearest_pts(frames, tick, 0, np.array([time]))[0].tolist() == [0]


def test_the_chosen_frames_keep_the_shape_of_the_times() -> None:
    frames = np.arange(10, dtype=np.int64)
    chosen, past_end = nearest_pts(frames, Fraction(1, 10), 0, np.full((4, 3), 0.52))
    assert chosen.tolist() == [[5] * 3] * 4
    assert past_end.shape == (4, 3)


def test_a_lone_frame_stands_for_its_own_length_and_one_more() -> None:
    lone = np.array([700], dtype=np.int64)
    times = np.array([0.0, 0.04, 0.0799, 0.08])
    chosen, past_end = nearest_pts(lone, Fraction(1, 1000), 700, times, lone_frame_s=0.04)
    assert chosen.tolist() == [700] * 4
    assert past_end.tolist() == [False, False, False, True]


def test_the_last_frame_lasts_as_long_as_the_gap_before_it() -> None:
    assert frame_length_s(np.array([0, 10, 50]), Fraction(1, 100), 9.0) == 0.4
    assert frame_length_s(np.array([0]), Fraction(1, 100), 9.0) == 9.0


@pytest.mark.parametrize("time", [-0.001, float("nan"), float("inf")])
def test_an_instant_before_the_video_or_nowhere_is_refused(time: float) -> None:
    with pytest.raises(InputError, match=rf"asked for t = {time} s; expected 0 or more"):
        nearest_pts(np.array([0, 1]), Fraction(1, 10), 0, np.array([0.0, time]))


@pytest.mark.parametrize("frames", [[], [3, 3], [5, 2]])
def test_frames_out_of_order_are_refused(frames: list[int]) -> None:
    with pytest.raises(InputError, match="at least one frame, with strictly ascending pts"):
        nearest_pts(np.array(frames, dtype=np.int64), Fraction(1, 10), 0, np.array([0.0]))
