"""Show the progress of work: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from data_manifests.times import clock_of
from xmic_cli.meter import Meter, per_second
from xmic_cli.notes import SHOWN, harmless, note, printable

INSTANT_S = 1.0
"""Seconds within which work ends without a word about it."""

_NARROW = 60
"""Columns below which there is no room for a bar."""

_LINE_S = 60.0
"""Seconds after which a log gets another line, though not another tenth is done."""


def summary(meter: Meter) -> str:
    """Write what was done, in which time and at which rate."""
    unit = f" {meter.unit}" if meter.unit else ""
    rate = f", {per_second(meter.made / meter.elapsed)}" if meter.made else ""
    return f"{meter.what}: {meter.made:,}{unit} in {clock_of(meter.elapsed, digits=0)}{rate}"


class LineProgress:
    """Progress as plain lines, for logs and pipes.

    A line is printed per tenth of the work, at least once a minute and at most once a second. Work that ends at once
    has none.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._meter: Meter | None = None
        self._tenth, self._printed, self._state = 0, 0.0, ""

    def start(self, what: str, total: int, unit: str = "", done: int = 0) -> None:
        """Start a piece of work of ``total`` steps."""
        self._meter = Meter(what, total, unit, done, self._clock)
        self._tenth, self._printed, self._state = 10 * done // max(1, total), self._clock(), ""

    def advance(self, steps: int = 1) -> None:
        """Count steps; print a line when another tenth is done."""
        if self._meter is None:
            return
        self._meter.advance(steps)
        tenth, since = 10 * self._meter.done // max(1, self._meter.total), self._clock() - self._printed
        if (tenth > self._tenth and since >= INSTANT_S) or since >= _LINE_S:
            self._tenth, self._printed = tenth, self._clock()
            note(f"{self._meter.line}{self._state}")

    def note(self, text: str) -> None:
        """Print a message for the user."""
        note(text)

    def state(self, text: str) -> None:
        """Keep the state, and print it with the next line."""
        self._state = f" ({text})"

    def finish(self) -> None:
        """End the work; print what was done if it took a while."""
        if self._meter is not None and self._meter.made and self._meter.elapsed >= INSTANT_S:
            note(f"{summary(self._meter)}{self._state}")
        self._meter = None


class BarProgress:
    """Progress as a bar on a terminal.

    The bar goes when the work ends; one line says what was done. Work that ends at once shows nothing.
    """

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True)
        self._live: Any = None
        self._meter: Meter | None = None
        self._state = ""
        self._lock = threading.Lock()

    def start(self, what: str, total: int, unit: str = "", done: int = 0) -> None:
        """Start a piece of work; its bar appears after a moment."""
        from rich.live import Live

        self.finish()
        self._meter, self._state = Meter(what, total, unit, done), ""
        if total > done:
            self._live = Live(console=self._console, get_renderable=self._shown, transient=True, refresh_per_second=4)
            self._live.start()
            SHOWN.set()
            _ACTIVE.append(self)

    def advance(self, steps: int = 1) -> None:
        """Move the bar."""
        with self._lock:
            if self._meter is not None:
                self._meter.advance(steps)

    def note(self, text: str) -> None:
        """Print a message above the bar."""
        self._console.print(harmless(text), markup=False, highlight=False)

    def state(self, text: str) -> None:
        """Show the state below the bar, as far as it fits."""
        self._state = printable(text)

    def finish(self) -> None:
        """Remove the bar; print what was done if it took a while."""
        meter, self._meter = self._meter, None
        self.stop()
        if meter is not None and meter.made and meter.elapsed >= INSTANT_S:
            self.note(summary(meter) + (f" ({self._state})" if self._state else ""))

    def stop(self) -> None:
        """Give the terminal back, also after an error."""
        if self._live is not None:
            self._live.stop()
            self._live = None
            _ACTIVE.remove(self)

    def _shown(self) -> Any:
        from rich.text import Text

        meter = self._meter
        if meter is None or meter.elapsed < INSTANT_S:
            return Text()
        with self._lock:
            return Text("\n").join(_rows(meter, self._state, self._console.width))


def _rows(meter: Meter, state: str, width: int) -> Iterable[Any]:
    """Yield the rows of a bar: one, or two on a narrow terminal, and one for the state."""
    from rich.text import Text

    share = min(1.0, meter.done / max(1, meter.total))
    if width < _NARROW:
        rows = [Text(printable(meter.what)), Text(meter.numbers(width))]
    else:
        numbers = meter.numbers(width // 2)
        row = Text(f"{printable(meter.what)} ")
        row.truncate(width - len(numbers) - 12, overflow="ellipsis")
        length = min(40, width - row.cell_len - len(numbers) - 2)
        full = round(share * length)
        row.append("━" * full, style="green").append("─" * (length - full), style="dim").append(f" {numbers}")
        rows = [row]
    if state:
        rows.append(Text(state, style="dim"))
    for row in rows:
        row.truncate(width, overflow="ellipsis")
        yield row


_ACTIVE: list[BarProgress] = []
"""Bars that are on the terminal."""


def stop_bars() -> None:
    """Give the terminal back where an error ended work with a bar."""
    for bar in list(_ACTIVE):
        bar.stop()
