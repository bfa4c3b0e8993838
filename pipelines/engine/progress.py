"""Report the progress of a stage to a callback object.

So pipelines needs to know no terminal.
"""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Callbacks by which a stage reports its progress."""

    def start(self, what: str, total: int, unit: str = "", done: int = 0) -> None:
        """Report the start of a piece of work of ``total`` steps.

        Args:
            what: the work in words.
            total: number of its steps.
            unit: what a step is, in the plural, e.g. 'frames'.
            done: steps that were done before.
        """

    def advance(self, steps: int = 1) -> None:
        """Report that ``steps`` more steps of the current work are done."""

    def note(self, text: str) -> None:
        """Report a message for the user, such as a warning or fallback."""

    def state(self, text: str) -> None:
        """Report the state of the current work; it replaces the last one."""

    def finish(self) -> None:
        """Report the end of the current work."""


class Silent:
    """Progress for tests and library use that reports nothing."""

    def start(self, what: str, total: int, unit: str = "", done: int = 0) -> None:
        """Ignore the start of a piece of work."""

    def advance(self, steps: int = 1) -> None:
        """Ignore the finished steps."""

    def note(self, text: str) -> None:
        """Ignore the message."""

    def state(self, text: str) -> None:
        """Ignore the state of the work."""

    def finish(self) -> None:
        """Ignore the end of the work."""
