"""Make the executor that a command's options choose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipelines.chain.executor_options import ExecutorOptions

if TYPE_CHECKING:
    from pipelines.chain.executor import Executor
    from pipelines.engine.machine import Machine


@contextmanager
def executor_of(options: ExecutorOptions, workers: int | None, machine: Machine) -> Iterator[Executor]:
    """Make the executor that the options choose.

    It is connected to a cluster, which ends with the block.

    Args:
        options: the choice.
        workers: value of ``--workers``; None where it was not given.
        machine: device of the call.
    """
    from pipelines.chain.executor import Local

    if options.executor == "local":
        yield Local()
        return
    from pipelines.chain.on_ray import RayExecutor

    with RayExecutor(options, machine, workers) as executor:
        yield executor
