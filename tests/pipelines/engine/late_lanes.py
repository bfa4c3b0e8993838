"""Lanes whose work is done as late as the marks allow, as on a device that is slower than the host."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from pipelines.engine.feed import Lane


@dataclass
class Work:
    do: Callable[[], None]
    before: list[Work] = field(default_factory=list)
    done: bool = False


class LateLanes:
    """Does work in any order that the lanes and marks allow, and none before it is waited for."""

    ahead = 1

    def __init__(self, seed: int = 0) -> None:
        self._last: dict[Lane, Work] = {}
        self._dice = random.Random(seed)
        self._all: list[Work] = []

    def buffers(self, shape: Sequence[int], dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
        # What nobody has written yet must not look like an empty batch.
        return torch.full(tuple(shape), -1).to(dtype), torch.full(tuple(shape), -2).to(dtype)

    def do(self, lane: Lane, work: Callable[[], None], after: Sequence[Work] = ()) -> Work:
        before = [*after, self._last[lane]] if lane in self._last else [*after]
        self._last[lane] = made = Work(work, before)
        self._all.append(made)
        return made

    def wait(self, mark: Work) -> None:
        # Work that nobody waits for may be done meanwhile, or not.
        for other in self._dice.sample(self._all, len(self._all)):
            if not other.done and self._dice.random() < 0.3 and all(item.done for item in other.before):
                self._do(other)
        self._finish(mark)

    def _finish(self, work: Work) -> None:
        if not work.done:
            for other in self._dice.sample(work.before, len(work.before)):
                self._finish(other)
            self._do(work)

    def _do(self, work: Work) -> None:
        work.do()
        work.done = True
