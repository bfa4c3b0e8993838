"""Turn signals into a request to save and stop a training."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


@contextmanager
def saving_signals() -> Iterator[Callable[[], str | None]]:
    """Remember SIGINT, SIGTERM and SIGUSR1 within the block instead of raising.

    A second signal raises KeyboardInterrupt at once; the last checkpoint is kept.

    Yields:
        A function that returns the name of the signal that came; None while there was none.
    """
    received: list[str] = []

    def remember(number: int, frame: Any) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(signal.Signals(number).name)

    before = {number: signal.signal(number, remember) for number in _SIGNALS}
    try:
        yield lambda: received[0] if received else None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
