from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_manifests.times import clock_of, parse_time


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("62.5", 62.5),
        (" 7 ", 7.0),
        ("1e2", 100.0),
        ("1:02.5", 62.5),
        ("0:01:02.5", 62.5),
        ("90:00", 5400.0),
        ("-1", -1.0),
    ],
)
def test_a_time_is_seconds_or_a_clock(written: str, seconds: float) -> None:
    assert parse_time(written) == seconds


def test_a_frame_is_a_time_where_the_rate_is_known() -> None:
    assert parse_time("1500f", 25) == 60.0
    assert parse_time("12.0f", 24) == 0.5
    with pytest.raises(ValueError, match="'1500f' is a frame number, .* not known; give it with --fps"):
        parse_time("1500f")


@pytest.mark.parametrize(
    "written", ["soon", "", "nan", "inf", "1:2:3:4", "-1:00", "0:75", "0:75:00", "1:2.5:3", "f", "1 f"]
)
def test_what_is_no_time_is_refused_with_the_forms(written: str) -> None:
    with pytest.raises(ValueError, match=r"is not a time; expected seconds \(62.5\), m:ss \(1:02.5\) or h:mm:ss"):
        parse_time(written)
    with pytest.raises(ValueError, match=r"h:mm:ss \(0:01:02.5\) or a frame \(1500f\)"):
        parse_time(written, 25)


@pytest.mark.parametrize(("written", "right"), [("0,5", "0.5"), (" -12,25 ", "-12.25"), ("1:02,5", "1:02.5")])
def test_a_decimal_comma_is_named(written: str, right: str) -> None:
    with pytest.raises(ValueError, match=rf"^'{written}' has a decimal comma; write a point: {right}$"):
        parse_time(written)
    with pytest.raises(ValueError, match=r"^'1,234' has a comma; decimals need a point, and thousands none: 1\.234$"):
        parse_time("1,234")


@pytest.mark.parametrize(
    ("seconds", "digits", "text"),
    [(0, 1, "0:00.0"), (59.96, 1, "1:00.0"), (3599.9, 0, "1:00:00"), (3725.25, 2, "1:02:05.25"), (7, 0, "0:07")],
)
def test_a_time_is_written_as_a_clock(seconds: float, digits: int, text: str) -> None:
    assert clock_of(seconds, digits) == text


@given(st.integers(0, 360_000_000))
def test_what_is_written_is_read_back(milliseconds: int) -> None:
    assert parse_time(clock_of(milliseconds / 1000, 3)) == pytest.approx(milliseconds / 1000, abs=1e-9)
