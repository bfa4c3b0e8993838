"""The experiment in its order: what is missing is made, what is there stays."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from benchmarks.methods.cells import CELLS, MethodCell, overrides, rank, terms
from benchmarks.methods.child import Task, run_in_child
from benchmarks.pocket.cells import OTHER, SOURCES
from benchmarks.pocket.run import Watch
from benchmarks.pocket.worlds import World, make_world
from benchmarks.result_file import Results, result_name, seed_name
from data_manifests.errors import InputError, Interrupted
from pipelines.engine.machine import Machine
from pipelines.train.optim import Diverged
from pipelines.train.options import TrainOptions

ENCODER = "pocket"

Step = tuple[int, MethodCell, str]
"""(seed, cell, source)."""


class Maker(Protocol):
    """What makes results: the experiment, or a test's stand-in."""

    def world(self, seed: int) -> Any:
        """Draw, decode and embed a world, or what is missing of it."""

    def measure(self, cell: MethodCell, source: str, world: Any) -> dict[str, Any]:
        """A cell's result."""


class Children:
    """The real maker: worlds in this process, runs in processes of their own. See :class:`Maker`.

    Args:
        folder: WORK, with the worlds of ``benchmarks.pocket``.
        size: of the worlds; decides batch and cuts.
        machine: workers and device.
        deadline: a value of ``time.monotonic()``; None = no limit.
    """

    def __init__(self, folder: Path, size: str, machine: Machine, deadline: float | None) -> None:
        self._folder, self._size = folder, size
        self._machine, self._deadline = machine, deadline

    def world(self, seed: int) -> World:
        watch = Watch(self._deadline, f"seed {seed}")
        # As benchmarks.pocket makes it: vectors of another device would be others.
        drawing = Machine(workers=self._machine.workers, device="cpu")
        return make_world(self._folder / seed_name(seed), self._size, seed, ENCODER, drawing, watch)

    def measure(self, cell: MethodCell, source: str, world: World) -> dict[str, Any]:
        """See :class:`Maker`.

        Raises:
            Interrupted: the time is over.
            InputError: the process failed.
        """
        watch = Watch(self._deadline, f"seed {world.seed}, {source}")
        watch.check()
        watch.note(f"{cell.name}: begins")
        began = time.monotonic()
        outcome = run_in_child(self.task(cell, source, world))
        said = {"terms": terms(cell, self._size), "workers": self._machine.workers}
        if outcome.reason == Diverged.__name__:
            watch.note(f"{cell.name}: {outcome.error}")
            return {**said, "diverged": outcome.error}
        if outcome.reason == Interrupted.__name__:
            raise Interrupted(f"{cell.name}: {outcome.error}")
        if outcome.reason is not None:
            raise InputError(f"seed {world.seed}, {source}, {cell.name}: {outcome.reason}: {outcome.error}")
        assert outcome.value is not None
        watch.note(f"{cell.name}: made in {time.monotonic() - began:.0f} s")
        return {**said, **outcome.value}

    def task(self, cell: MethodCell, source: str, world: World) -> Task:
        """The run of a cell on both streams, of which the hand crops of the true boxes are classified."""
        target = OTHER[source]
        splits = {name: world.workspace.evaluation_split(name) for name in (source, target)}
        request = TrainOptions(
            source,
            cell.method,
            set=overrides(cell, self._size),
            seed=world.seed,
            encoder=world.encoder,
            streams="both",
            classify="hand",
            hands=world.hands["true"],
            recipe=cell.recipe or "published",
        )
        ledger = self._folder / seed_name(world.seed) / "methods" / f"{source}-{cell.name}.json"
        left = None if self._deadline is None else self._deadline - time.monotonic()
        targets = tuple((name, str(split)) for name, split in splits.items())
        return Task(world.workspace.root, request, targets, self._machine, ledger, left)


def missing(results: Results, seeds: Sequence[int], cells: Iterable[MethodCell] = CELLS) -> list[Step]:
    """What has no result yet, in the order in which it is made: cheap methods first, of these the published recipe
    first, and then seed by seed.

    Raises:
        InputError: a result was made under another hash or size.
    """
    absent = [
        (seed, cell, source)
        for cell in cells
        for seed in seeds
        for source in SOURCES
        if results.read(result_name(seed, source, cell.name)) is None
    ]
    return sorted(absent, key=lambda step: (rank(step[1]), seeds.index(step[0])))


def run(
    results: Results,
    seeds: Sequence[int],
    maker: Maker,
    cells: Iterable[MethodCell] = CELLS,
    may_train: Callable[[], None] = lambda: None,
) -> int:
    """Make what is missing; how many results were written.

    Args:
        results: where they are kept.
        seeds: of worlds and trainings.
        maker: makes them.
        cells: which.
        may_train: raises when nothing may be trained; asked before anything is done.

    Raises:
        InputError: results of another hash or size are there, ``may_train`` refused, or a run failed.
        Interrupted: the time is over.
    """
    steps = missing(results, seeds, cells)
    if any(cell.recipe for _, cell, _ in steps):
        may_train()
    worlds: dict[int, Any] = {}
    for seed, cell, source in steps:
        if seed not in worlds:
            worlds[seed] = maker.world(seed)
        results.write(result_name(seed, source, cell.name), maker.measure(cell, source, worlds[seed]))
    return len(steps)
