"""Measure the rate of some work, and write its progress in words."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from data_manifests.times import clock_of

_WINDOW_S = 30.0
_LEAST_S = 1.0
"""Time below which a rate says nothing."""


class Meter:
    """Count of the steps that are done, with rate and time left.

    The rate is that of the last half minute. Steps that were done before do not count for it.

    Args:
        what: the work in words.
        total: number of its steps.
        unit: what a step is, in the plural, e.g. 'frames'.
        done: steps that were done before.
        clock: returns seconds.
    """

    def __init__(
        self, what: str, total: int, unit: str = "", done: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.what, self.total, self.unit, self.done = what, total, unit, done
        self._clock, self._before, self._started = clock, done, clock()
        self._seen = deque([(self._started, done)])

    def advance(self, steps: int) -> None:
        """Count steps of the work."""
        self.done += steps
        now = self._clock()
        self._seen.append((now, self.done))
        while len(self._seen) > 2 and now - self._seen[1][0] > _WINDOW_S:
            self._seen.popleft()

    @property
    def made(self) -> int:
        """Steps that were done since the start."""
        return self.done - self._before

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._started

    @property
    def rate(self) -> float | None:
        """Steps per second; None while unknown."""
        (first, before), (last, now) = self._seen[0], self._seen[-1]
        if now == before or self.elapsed < _LEAST_S:
            return None
        return (now - before) / max(last - first, 1e-3)

    @property
    def left(self) -> float | None:
        """Seconds left at this rate; None while unknown."""
        rate = self.rate
        return None if rate is None else max(0, self.total - self.done) / rate

    def numbers(self, width: int) -> str:
        """Write count, rate and time left in at most ``width`` columns.

        What does not fit is left out, first the words, then the rate.
        """
        rate = "" if self.rate is None else f"  {per_second(self.rate)}"
        left = "" if self.left is None else f"  {clock_of(self.left, digits=0)}"
        long, short = f"{self.done:,}/{self.total:,}", f"{_short(self.done)}/{_short(self.total)}"
        unit = f" {self.unit}" if self.unit else ""
        texts = [
            f"{long}{unit}{rate}{left}{' left' if left else ''}",
            f"{long}{unit}{rate}{left}",
            f"{short}{unit}{rate}{left}",
            f"{short}{unit}{left}",
        ]
        return next((text for text in texts if len(text) <= width), texts[-1][:width])

    @property
    def line(self) -> str:
        """Write the progress as a line of a log."""
        rate = "" if self.rate is None else f", {per_second(self.rate)}"
        left = "" if self.left is None or self.done >= self.total else f", {clock_of(self.left, digits=0)} left"
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.what}: {self.done:,} of {self.total:,}{unit}, {clock_of(self.elapsed, digits=0)}{rate}{left}"


def per_second(rate: float) -> str:
    """Write a rate: '57/s', or '12/min' if it is low."""
    if rate < 1:
        return f"{60 * rate:.1f}/min"
    return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"


def _short(count: int) -> str:
    """Write a count in few columns: '1.2k', '34M'."""
    for size, unit in ((1_000_000, "M"), (1000, "k")):
        if count >= size:
            return f"{count / size:.1f}{unit}" if count < 10 * size else f"{count // size:,}{unit}"
    return str(count)
