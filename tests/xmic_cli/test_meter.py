from __future__ import annotations

import pytest

from data_manifests.times import clock_of
from xmic_cli.meter import Meter, per_second


class _Clock:
    """Seconds that the test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def _metered(done: int, seconds: float, total: int = 4000, before: int = 0, what: str = "decode epic train") -> Meter:
    clock = _Clock()
    meter = Meter(what, total, "frames", before, clock)
    clock.now = seconds
    meter.advance(done)
    return meter


def test_the_rate_is_of_what_was_done_now_not_before() -> None:
    meter = _metered(100, 10, before=3000)
    assert (meter.rate, meter.left, meter.made) == (10, 90, 100)


def test_the_rate_is_that_of_the_last_half_minute() -> None:
    clock = _Clock()
    meter = Meter("x", 1000, "frames", 0, clock)
    for second in range(1, 101):
        clock.now = second
        meter.advance(1 if second <= 50 else 3)
    assert meter.rate == pytest.approx(3)
    assert meter.left == pytest.approx((1000 - 200) / 3)


def test_nothing_is_said_of_a_rate_that_is_not_known() -> None:
    meter = _metered(0, 50)
    assert (meter.rate, meter.left) == (None, None)
    assert meter.numbers(40) == "0/4,000 frames"
    assert _metered(5, 0.1).rate is None


@pytest.mark.parametrize(
    ("width", "text"),
    [
        (60, "1,200/4,000 frames  57/s  0:49 left"),
        (34, "1,200/4,000 frames  57/s  0:49"),
        (29, "1.2k/4.0k frames  57/s  0:49"),
        (24, "1.2k/4.0k frames  0:49"),
    ],
)
def test_what_does_not_fit_is_left_out(width: int, text: str) -> None:
    meter = _metered(1200, 21)
    assert meter.numbers(width) == text
    assert len(text) <= width


def test_a_line_of_a_log_has_the_time_elapsed() -> None:
    assert _metered(1200, 21).line == "decode epic train: 1,200 of 4,000 frames, 0:21, 57/s, 0:49 left"
    assert _metered(4000, 70).line == "decode epic train: 4,000 of 4,000 frames, 1:10, 57/s"


def test_rates_and_times_are_short() -> None:
    assert [per_second(rate) for rate in (0.2, 1.25, 57.2, 1234.5)] == ["12.0/min", "1.2/s", "57/s", "1,234/s"]
    assert [clock_of(seconds, digits=0) for seconds in (0.4, 49, 3769)] == ["0:00", "0:49", "1:02:49"]
