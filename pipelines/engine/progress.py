"""How a stage says where it is: a callback object, so that pipelines knows no terminal."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """What a stage tells whoever watches it."""

    def start(self, what: str, total: int) -> None:
        """A piece of work of ``total`` steps begins."""

    def advance(self, steps: int = 1) -> None:
        """That many steps of the current work are done."""

    def note(self, text: str) -> None:
        """Something a person should know: a fallback, a warning, a shard redone."""

    def state(self, text: str) -> None:
        """How the current work stands; only the newest is of interest."""

    def finish(self) -> None:
        """The current work ended."""


class Silent:
    """Progress for tests and library use: says nothing."""

    def start(self, what: str, total: int) -> None:
        """Ignored."""

    def advance(self, steps: int = 1) -> None:
        """Ignored."""

    def note(self, text: str) -> None:
        """Ignored."""

    def state(self, text: str) -> None:
        """Ignored."""

    def finish(self) -> None:
        """Ignored."""
