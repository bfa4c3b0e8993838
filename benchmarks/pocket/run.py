"""The experiment from seed to seed: what is missing is measured, what is there stays."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from benchmarks.pocket.cells import CELLS, SOURCES, Cell
from benchmarks.pocket.measure import measure
from benchmarks.pocket.worlds import World, make_world, nuisances
from benchmarks.result_file import Results, result_name, seed_name
from data_manifests.errors import Interrupted
from pipelines.decode.options import DecodeOptions
from pipelines.engine.machine import Machine

NUISANCES = "nuisances"


class Watch:
    """Progress as lines on stderr, and the end of the time: what a stage has done by then stays.

    Args:
        deadline: a value of ``time.monotonic()``; None = no limit.
        prefix: of each line.
    """

    def __init__(self, deadline: float | None, prefix: str) -> None:
        self._deadline, self._prefix = deadline, prefix
        self._what, self._total, self._done, self._began, self._said = "", 0, 0, 0.0, 0.0

    def start(self, what: str, total: int, unit: str = "", done: int = 0) -> None:
        self._what, self._total, self._done = what, total, 0
        self._began = self._said = time.monotonic()

    def advance(self, steps: int = 1) -> None:
        """Count.

        Raises:
            Interrupted: the time is over.
        """
        self._done += steps
        now = time.monotonic()
        if now - self._said > 60:
            self.note(f"{self._what}: {self._done} of {self._total} after {now - self._began:.0f} s")
            self._said = now
        self.check()

    def note(self, text: str) -> None:
        print(f"{self._prefix}: {text}", file=sys.stderr, flush=True)

    def state(self, text: str) -> None:
        pass

    def finish(self) -> None:
        seconds = time.monotonic() - self._began
        if seconds > 1:
            self.note(f"{self._what}: {self._done} of {self._total} in {seconds:.1f} s")

    def check(self) -> None:
        if self._deadline is not None and time.monotonic() >= self._deadline:
            raise Interrupted("the time is over; what was done is kept, and the same command goes on from here.")


class Maker(Protocol):
    """What makes results: an experiment, or a test's stand-in."""

    def world(self, seed: int) -> Any:
        """Draw, decode and embed a world, or what is missing of it."""

    def nuisances(self, world: Any) -> dict[str, Any]:
        """Of a world."""

    def measure(self, cell: Cell, source: str, world: Any) -> dict[str, Any]:
        """A cell's result."""


class Chain:
    """The real maker. See :class:`Maker`.

    Args:
        folder: of worlds and runs.
        size: of a world.
        encoder: its spec.
        machine: workers, device.
        deadline: a value of ``time.monotonic()`` to stop at.
        boxes: kinds of boxes to crop by.
        frames: segments and candidates of a clip; None = the defaults.
    """

    def __init__(
        self,
        folder: Path,
        size: str,
        encoder: str,
        machine: Machine,
        deadline: float | None,
        boxes: Sequence[str] = ("true", "random"),
        frames: DecodeOptions | None = None,
    ) -> None:
        self._folder, self._size, self._encoder = folder, size, encoder
        self._machine, self._deadline, self._boxes, self._frames = machine, deadline, boxes, frames

    def world(self, seed: int) -> World:
        watch = Watch(self._deadline, f"seed {seed}")
        folder = self._folder / seed_name(seed)
        return make_world(folder, self._size, seed, self._encoder, self._machine, watch, self._boxes, self._frames)

    def nuisances(self, world: World) -> dict[str, Any]:
        return nuisances(world, self._size)

    def measure(self, cell: Cell, source: str, world: World) -> dict[str, Any]:
        watch = Watch(self._deadline, f"seed {world.seed}, {source}")
        watch.check()
        began = time.monotonic()
        made = measure(cell, source, world, self._size, self._encoder, self._machine, self._deadline)
        watch.note(f"{cell.name}: measured in {time.monotonic() - began:.1f} s")
        return made


def missing(results: Results, seed: int, cells: Iterable[Cell] = CELLS) -> list[tuple[Cell, str]]:
    """The cells and sources of a seed without a result.

    Raises:
        InputError: a result was made under another hash or size.
    """
    return [
        (cell, source)
        for cell in cells
        for source in SOURCES
        if results.read(result_name(seed, source, cell.name)) is None
    ]


def run(
    results: Results,
    seeds: Iterable[int],
    maker: Maker,
    cells: tuple[Cell, ...] = CELLS,
    may_train: Callable[[], None] = lambda: None,
) -> int:
    """Measure what is missing, seed after seed; how many results were written.

    Args:
        results: where they are kept.
        seeds: of worlds and trainings.
        maker: makes them.
        cells: which.
        may_train: raises when no adapter may be trained; asked before anything is done.

    Raises:
        InputError: results of another hash or size are there, or ``may_train`` refused.
        Interrupted: the time is over.
    """
    todo = {seed: missing(results, seed, cells) for seed in seeds}
    if any(cell.trains for found in todo.values() for cell, _ in found):
        may_train()
    made = 0
    for seed, found in todo.items():
        untold = results.read(f"{seed_name(seed)}/{NUISANCES}") is None
        if not found and not untold:
            continue
        world = maker.world(seed)
        if untold:
            results.write(f"{seed_name(seed)}/{NUISANCES}", {"domains": maker.nuisances(world)})
            made += 1
        for cell, source in found:
            labels = maker.measure(cell, source, world)
            results.write(result_name(seed, source, cell.name), {"labels": labels})
            made += 1
    return made
