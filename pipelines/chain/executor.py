"""Run steps of stages, and calls such as trainings, on this machine.

:class:`pipelines.chain.on_ray.RayExecutor` does the same on a Ray cluster. No stage knows where it is run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pipelines.engine.devices import Build, run_on_each
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Progress
from pipelines.engine.report import Report
from pipelines.engine.stage import RunPolicy, Stage

Stop = Callable[[], AbstractContextManager[Callable[[], str | None]]]
"""Returns a context manager; within it a training asks for a reason to save and stop (None: go on)."""

Result = TypeVar("Result")
Call = Callable[[Progress, Stop], Result]
"""Work that is no stage, such as a training. On a cluster it must pickle, with its result."""


def never() -> AbstractContextManager[Callable[[], str | None]]:
    """Never ask a training to stop."""
    return nullcontext(lambda: None)


@dataclass(frozen=True)
class Step:
    """Stages that read the shards of the steps before.

    Attributes:
        name: name of the step.
        builds: builds the same stages for each device; raises MissingUpstream while the steps before have no shard. A
            cluster takes the first.
        network: the stages run a network.
    """

    name: str
    builds: Sequence[Build]
    network: bool


class Executor(Protocol):
    """Place where shards are made and calls are done."""

    def machine(self, machine: Machine, *, network: bool) -> Machine:
        """Return the machine that stages are built for.

        Args:
            machine: what the user asked for.
            network: the stages run a network.
        """
        ...

    def run(self, steps: Sequence[Step], policy: RunPolicy, progress: Progress) -> Iterator[tuple[Stage, Report]]:
        """Run steps of stages; yield each stage with its report, in order.

        Raises:
            XmicError: as :func:`pipelines.engine.stage.run` does; what was made is kept.
        """
        ...

    def call(self, calls: Sequence[Call[Result]], progress: Progress, stop: Stop) -> Iterator[Result]:
        """Do calls; yield their results in order."""
        ...


class Local:
    """Executor that works on this machine, one stage after the other."""

    def machine(self, machine: Machine, *, network: bool) -> Machine:
        """Return the machine as it is."""
        return machine

    def run(self, steps: Sequence[Step], policy: RunPolicy, progress: Progress) -> Iterator[tuple[Stage, Report]]:
        """Run the stages of each step in turn, on each device."""
        for step in steps:
            yield from run_on_each(step.builds, policy, progress)

    def call(self, calls: Sequence[Call[Result]], progress: Progress, stop: Stop) -> Iterator[Result]:
        """Do the calls in turn."""
        for call in calls:
            yield call(progress, stop)
