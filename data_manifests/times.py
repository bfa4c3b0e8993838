"""Parse and write the times that a person gives.

One parser for tables and options.
"""

from __future__ import annotations

import math
import re

FORMS = "seconds (62.5), m:ss (1:02.5) or h:mm:ss (0:01:02.5)"
"""Forms of a time, in words."""

# int() itself refuses numbers of thousands of digits.
_CLOCK = re.compile(r"(?:(\d{1,6}):)?(\d{1,6}):(\d{1,2}(?:\.\d*)?)", re.ASCII)
_FRAME = re.compile(r"(\d{1,10})(?:\.0)?f", re.ASCII)
_DECIMAL_COMMA = re.compile(r"([+-]?[\d:]*),(\d+)", re.ASCII)
_SHOWN = 60


def parse_time(written: str, fps: float | None = None) -> float:
    """Parse a time from the start of a video.

    Args:
        written: '62.5' (seconds), '1:02.5' (minutes and seconds), '0:01:02.5' (hours, minutes and seconds) or '1500f'
            (the frame of this number, counted from 0).
        fps: frames per second; None = frames are not accepted.

    Returns:
        Seconds, finite. Below 0 only for a number of seconds.

    Raises:
        ValueError: the text has none of these forms; says what was found and what was expected.
    """
    text = written.strip()
    frame = _FRAME.fullmatch(text)
    if frame and fps is None:
        raise ValueError(f"{written[:_SHOWN]!r} is a frame number, and the frame rate is not known; give it with --fps")
    if frame and fps is not None:
        return int(frame[1]) / fps
    clock = _CLOCK.fullmatch(text)
    if clock:
        hours, minutes, seconds = int(clock[1] or 0), int(clock[2]), float(clock[3])
        if seconds < 60 and (clock[1] is None or minutes < 60):
            return 3600 * hours + 60 * minutes + seconds
    else:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if math.isfinite(value):
            return value
    comma = _DECIMAL_COMMA.fullmatch(text)
    if comma:
        thousands = len(comma[2]) == 3 and comma[1].strip("+-") not in ("", "0")
        kind = "a comma; decimals need a point, and thousands none" if thousands else "a decimal comma; write a point"
        raise ValueError(f"{written[:_SHOWN]!r} has {kind}: {f'{comma[1]}.{comma[2]}'[:_SHOWN]}")
    forms = f"{FORMS.replace(' or', ',')} or a frame (1500f)" if fps is not None else FORMS
    raise ValueError(f"{written[:_SHOWN]!r} is not a time; expected {forms}")


def clock_of(seconds: float, digits: int = 1) -> str:
    """Write seconds as m:ss, or as h:mm:ss from an hour on.

    Args:
        seconds: 0 or more.
        digits: decimals of the seconds.
    """
    scale = 10**digits
    ticks = round(seconds * scale)
    minutes, rest = divmod(ticks, 60 * scale)
    hours, minutes = divmod(minutes, 60)
    width = 3 + digits if digits else 2
    tail = f"{rest / scale:0{width}.{digits}f}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"
