"""Make shards and train cells on a Ray cluster.

The driver plans and reports. Workers make each shard by the code that a single machine runs, under the same lock, and
write it to the workspace, which lies on a disk that all nodes share.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from data_manifests.errors import InputError, TooManyFailures, UsageError
from pipelines.chain.executor import Call, Result, Step, Stop
from pipelines.chain.executor_options import ExecutorOptions
from pipelines.chain.lanes import Lanes, Line
from pipelines.chain.ray_jobs import DoCall, MakeShards
from pipelines.engine.inspection import State, Unit, inspect
from pipelines.engine.locks import free_lock
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Progress
from pipelines.engine.ray_workers import Cluster, Event, Failed, Job, Lost, Pool, Said
from pipelines.engine.report import Report, conclude
from pipelines.engine.stage import RunPolicy, Stage

TRIES = 3
"""Workers that may die over one shard or cell before it is given up."""

_TURN_S = 1.0
_QUIET_S = 30.0
"""Seconds without a worker after which the user is told."""

_VISIBLE_S = 60.0
"""Seconds in which a shared disk shows a file that another node has written."""


@dataclass(frozen=True)
class ClusterMachine(Machine):
    """Workers, device and network of a cluster's workers.

    The devices of the driver say nothing about them.
    """

    def resolve_device(self) -> str:
        """Return the device as it was chosen by the cluster's resources."""
        return self.device


class RayExecutor:
    """Executor that works on a Ray cluster.

    Use as a context manager: leaving the block ends the workers.

    Args:
        options: address, and GPUs per worker.
        machine: device that the user asked for.
        workers: CPUs per worker; None chooses by the cluster.

    Raises:
        UsageError: Ray is not installed, or the cluster has no such device.
        InputError: there is no cluster at the address.
    """

    def __init__(self, options: ExecutorOptions, machine: Machine, workers: int | None) -> None:
        self._cluster = Cluster(options.address)
        try:
            self._cpus, self._gpus = self._make_pools(options, machine, workers)
        except UsageError:
            self._cluster.close()
            raise
        self._steps = 0

    def __enter__(self) -> RayExecutor:
        """Return the executor itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the workers and the connection."""
        self._cluster.close()

    def _make_pools(self, options: ExecutorOptions, machine: Machine, workers: int | None) -> tuple[Pool, Pool | None]:
        there = self._cluster.resources()
        cpus, gpus = there.get("CPU", 0.0), there.get("GPU", 0.0)
        wanted = options.gpus if options.gpus is not None else float(machine.device != "cpu" and gpus > 0)
        if workers is not None and workers > cpus:
            raise UsageError(f"--workers {workers}: the Ray cluster has {cpus:g} CPUs; take fewer CPUs per worker.")
        if machine.devices is not None:
            raise UsageError(f"--devices {machine.devices}: Ray gives each worker its GPUs; leave it out (see --gpus)")
        if machine.device not in ("auto", "cpu", "cuda"):
            raise UsageError(f"--device {machine.device}: Ray chooses the GPUs; expected auto, cpu or cuda")
        if machine.device == "cpu" and wanted:
            raise UsageError(f"--gpus {wanted:g} --device cpu: leave one of the two out.")
        if machine.device == "cuda" and not wanted:
            raise UsageError("--device cuda: without GPUs for its workers; the Ray cluster has none, or --gpus is 0.")
        if wanted > gpus:
            raise UsageError(f"--gpus {wanted:g}: the Ray cluster has {gpus:g} GPUs; add nodes with GPUs, or --gpus 0.")
        if not wanted:
            return self._cluster.pool(workers or 1), None
        # Half of the CPUs feed the GPUs, the others decode.
        feeding = workers or max(1, int(cpus / gpus * wanted / 2))
        of_gpus = self._cluster.pool(feeding, wanted)
        return self._cluster.pool(workers or 1, reserved_cpus=of_gpus.limit * feeding), of_gpus

    def machine(self, machine: Machine, *, network: bool) -> Machine:
        """Return the machine of the workers that make such stages."""
        pool = self._pool(network)
        device = "cuda" if pool.gpus else "cpu"
        return ClusterMachine(pool.cpus, device, machine.offline)

    def _pool(self, network: bool) -> Pool:
        return self._gpus if network and self._gpus is not None else self._cpus

    def run(self, steps: Sequence[Step], policy: RunPolicy, progress: Progress) -> Iterator[tuple[Stage, Report]]:
        """Make the shards of all steps.

        A shard is made as soon as its inputs are there.

        Raises:
            InputError: the workers of a shard died again and again, or what they made is not in the workspace.
        """
        driver = _Driver(self._cluster, policy, progress, Lanes(steps, policy, progress), self._steps)
        self._steps += len(steps)
        try:
            while not driver.finished:
                driver.turn({network: self._pool(network) for network in (False, True)})
        finally:
            progress.finish()
            _free(self._cluster.end_work())
        driver.raise_problem()
        yield from ((line.stage, line.report) for line in driver.lanes.lines)

    def call(self, calls: Sequence[Call[Result]], progress: Progress, stop: Stop) -> Iterator[Result]:
        """Do calls on workers side by side; yield their results in order.

        The first error is raised when all calls have ended. Trainings save their states themselves, so ``stop`` asks
        nobody.
        """
        from ray import cloudpickle

        if not calls:
            return
        self._cluster.end_workers()  # their networks would take the memory of a training
        jobs = [DoCall(str(number), cloudpickle.dumps(call)) for number, call in enumerate(calls)]
        waiting, found, tries = list(jobs), dict[str, Result](), Counter[str]()
        problem: BaseException | None = None
        pool = self._pool(network=True)
        progress.start("cells on Ray", len(jobs), "cells")
        ended = 0
        try:
            while ended < len(jobs):
                _hand_out(pool, waiting)
                for event in self._cluster.events(_TURN_S):
                    if isinstance(event, Lost) and event.pieces:
                        tries[event.pieces[0]] += 1
                        if tries[event.pieces[0]] < TRIES:
                            progress.note(f"a worker died ({event.why}); its cell goes on in another one")
                            waiting.append(jobs[int(event.pieces[0])])
                            continue
                        problem = problem or InputError(f"{TRIES} workers died over one cell; the last: {event.why}")
                    elif isinstance(event, Said):
                        found[event.piece] = event.value
                        _tell(progress, event.notes)
                    elif isinstance(event, Failed):
                        problem = problem or event.error
                        _tell(progress, event.notes)
                    else:
                        continue
                    ended += 1
                    progress.advance()
        finally:
            progress.finish()
            self._cluster.end_work()
        if problem is not None:
            raise problem
        yield from (found[job.number] for job in jobs)


def _hand_out(pool: Pool, waiting: list[DoCall]) -> None:
    pool.grow(len(waiting))
    for actor in pool.idle:
        if waiting:
            pool.give(actor, waiting.pop(0))


def _tell(progress: Progress, notes: Sequence[str]) -> None:
    for note in notes:
        progress.note(note)


def _free(lost: Sequence[Lost]) -> None:
    """Free the locks of shards whose workers are dead."""
    for event in lost:
        if isinstance(event.job, MakeShards):
            for item in event.job.items:
                if item.unit.group in event.pieces:
                    free_lock(item.unit.path, event.holder)


@dataclass
class _Driver:
    """The state of one call of :meth:`RayExecutor.run`."""

    cluster: Cluster
    policy: RunPolicy
    progress: Progress
    lanes: Lanes
    first_step: int
    stages: dict[int, Any] = field(default_factory=dict)
    """Step → reference to its pickled stages."""
    jobs: dict[int, Line] = field(default_factory=dict)
    """Identity of a job → its line."""
    lost: dict[str, str] = field(default_factory=dict)
    """Shard that was given up → why."""
    problem: TooManyFailures | None = None
    begun: float = field(default_factory=time.monotonic)
    heard: float = field(default_factory=time.monotonic)
    shown: int = 0

    @property
    def finished(self) -> bool:
        """True where all is made, or nothing more is to be made."""
        if self.problem is not None:
            return not self.jobs
        return self.lanes.done and all(line.concluded for line in self.lanes.lines)

    def turn(self, pools: Mapping[bool, Pool]) -> None:
        """Build what can be built, give out work, and hear for a moment from the workers."""
        if self.problem is None:
            self._build()
            self._give(pools)
        self._show()
        if self.jobs or self.lanes.number_waiting(None):
            events = self.cluster.events(_TURN_S)
            for event in events:
                self._heard(event)
            self._mention_silence(bool(events))
        self._conclude()
        if self.finished:
            self._show()

    def _build(self) -> None:
        from ray import cloudpickle

        before = self.lanes.steps_built
        for number, stages in enumerate(self.lanes.build(), before):
            self.stages[number] = self.cluster.ray.put(cloudpickle.dumps(stages))
        if self.lanes.steps_built > before:
            self._start()

    def _give(self, pools: Mapping[bool, Pool]) -> None:
        one_pool = pools[False] is pools[True]
        for network in [None] if one_pool else [False, True]:
            pool = pools[bool(network)]
            pool.grow(self.lanes.number_waiting(network))
            for actor in pool.idle:
                taken = self.lanes.take(network, 4 * pool.limit)
                if taken is None:
                    break
                line, items = taken
                job = MakeShards(self.first_step + line.step, [self.stages[line.step]], line.place, items, self.policy)
                self.jobs[id(job)] = line
                pool.give(actor, job)

    def _heard(self, event: Event) -> None:
        line = self.jobs[id(event.job)]
        if isinstance(event, Said):
            _tell(self.progress, event.notes)
            self._require_visible(line, line.given[event.piece].unit)
            self.lanes.made(line, event.piece, event.value)
            self._end(event.job, line)
        elif isinstance(event, Failed):
            _tell(self.progress, event.notes)
            raise event.error
        else:
            _free([event])
            for group in event.pieces:
                self._lost(line, group, event.why)
            self._end(event.job, line)

    def _lost(self, line: Line, group: str, why: str) -> None:
        if line.tries[group] + 1 < TRIES:
            self.lanes.again(line, group)
            self.progress.note(f"{line.stage.name} {line.stage.title}: a worker died ({why}); its shard is made again")
            return
        self.lost[str(line.given[group].unit.path)] = why
        self.lanes.lose(line, group)

    def _end(self, job: Job, line: Line) -> None:
        """Forget a job all of whose shards are settled."""
        if not any(piece in line.given for piece in job.pieces):
            self.jobs.pop(id(job), None)

    def _require_visible(self, line: Line, unit: Unit) -> None:
        """Check that a shard that a worker made is in the workspace as this process sees it.

        Raises:
            InputError: it is not.
        """
        end = time.monotonic() + _VISIBLE_S
        while True:
            found = inspect(line.stage, unit)
            if found.state in (State.DONE, State.INCOMPLETE):
                return
            if found.state is State.STALE or time.monotonic() > end:
                break
            time.sleep(_TURN_S)
        raise InputError(
            f"{unit.path}: a Ray worker made it, but here it is {found.state} ({found.why}). The workspace must lie on "
            "a disk that all nodes share, at one path, and all nodes need the same xmic."
        )

    def _mention_silence(self, heard: bool) -> None:
        now = time.monotonic()
        if heard or any(actor.holder for pool in self.cluster.pools for actor in pool.actors):
            self.heard = now
        elif now - self.heard > _QUIET_S:
            self.heard = now
            self.progress.note("no Ray worker has started yet: the cluster is busy or too small (see ray status)")

    def _conclude(self) -> None:
        if self.lost:
            for _ in self.lanes.finished():
                pass
            return
        for line in self.lanes.finished():
            line.report.seconds = time.monotonic() - self.begun
            try:
                line.report = conclude(line.stage, line.stage.units(), self.policy, line.report)
            except TooManyFailures as error:
                self.problem = self.problem or error

    def raise_problem(self) -> None:
        """Raise what went wrong.

        Raises:
            TooManyFailures: a stage had too many.
            InputError: shards were given up.
        """
        if self.problem is not None:
            raise self.problem
        for path, why in self.lost.items():
            raise InputError(
                f"{path}: {TRIES} workers died over it and {len(self.lost) - 1} other shards were given up; the last "
                f"said: {why}. Everything else is made and kept. Is a worker's memory enough (ray status, --workers)? "
                "Run the same command again to go on."
            )

    def _start(self) -> None:
        """Show the lines that are known by now as one piece of work."""
        lines = self.lanes.lines
        names = ", ".join(dict.fromkeys(line.stage.name for line in lines))
        self.shown = sum(line.settled for line in lines)
        self.progress.start(f"{names} on Ray", sum(line.expected for line in lines), "shards", self.shown)

    def _show(self) -> None:
        settled = sum(line.settled for line in self.lanes.lines)
        if settled > self.shown:
            self.progress.advance(settled - self.shown)
            self.shown = settled
        counts = Counter[str]()
        for line in self.lanes.lines:
            counts[line.stage.name] += len(line.given)
        workers = sum(bool(actor.holder) for pool in self.cluster.pools for actor in pool.actors)
        busy = "".join(f", {count} shards of {name}" for name, count in counts.items() if count)
        self.progress.state(f"{workers} workers{busy}")
