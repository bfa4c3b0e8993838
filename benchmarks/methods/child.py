"""One run in a process of its own, so that its time and memory are its own: trained, evaluated, and what it took."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.methods.ledger import Ledger
from benchmarks.pocket.counts import Part
from benchmarks.process_memory import of_status
from data_manifests.errors import Interrupted
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.engine.workers import Outcome, run_killable
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.run import evaluate
from pipelines.evaluate.trained import find_run
from pipelines.train.finished import is_summarised
from pipelines.train.options import TrainOptions
from pipelines.train.plan import PlannedRun, plan_run
from pipelines.train.run import train_run

_SUFFIX = "-methods"
"""Behind the name of a run: ``benchmarks.pocket`` may have trained and evaluated the same one in this workspace, and
what it costs is to be measured."""

_SILENCE_S = 24 * 3600.0
"""A process that says nothing for so long is killed. An evaluation says nothing till it ends."""


@dataclass(frozen=True)
class Task:
    """A run to make.

    Attributes:
        workspace: its root.
        request: what to train.
        targets: (dataset, split) pairs to evaluate, the source first.
        machine: its workers are the threads.
        ledger: where the cost is kept.
        seconds: how long it may take; None = as long as it takes.
    """

    workspace: Path
    request: TrainOptions
    targets: tuple[tuple[str, str], ...]
    machine: Machine
    ledger: Path
    seconds: float | None


class Stopwatch(Silent):
    """Counts the steps of a training and the time between them; what it counts of other work is of no interest.

    Args:
        heartbeat: called with every step.
    """

    def __init__(self, heartbeat: Callable[[], None]) -> None:
        self._heartbeat = heartbeat
        self._at = 0.0
        self._trains = False
        self.steps, self.seconds = 0, 0.0

    def start(self, what: str, total: int, unit: str = "", done: int = 0) -> None:
        self._trains, self._at = what.startswith("train "), time.monotonic()

    def advance(self, steps: int = 1) -> None:
        self._heartbeat()
        if not self._trains:
            return
        now = time.monotonic()
        self.steps += steps
        self.seconds += now - self._at
        self._at = now


def run_in_child(task: Task) -> Outcome:
    """Make a run; the outcome's value is that of :func:`sit`, its reason the name of an exception."""
    (outcome,) = run_killable(sit, [(task.ledger.stem, task)], workers=1, timeout_s=_SILENCE_S, reason_of=name_of_error)
    return outcome


def name_of_error(error: BaseException) -> str:
    return type(error).__name__


def sit(task: Task, heartbeat: Callable[[], None]) -> dict[str, Any]:
    """Train and evaluate, or go on with it.

    Returns:
        'run', its name; 'labels', of each label the parts that tables are made of; 'heads', what training says of
        each; 'cost', from :meth:`benchmarks.methods.ledger.Ledger.cost`.

    Raises:
        Interrupted: the time is over; what was done stays.
        Diverged: a loss was not finite.
    """
    began = time.monotonic()
    torch.set_num_threads(task.machine.workers)
    workspace = Workspace.open(task.workspace)
    planned = named_apart(plan_run(workspace, task.request))
    ledger = Ledger.open(task.ledger, planned.folder)
    ledger.peak("libraries_mb", peak_mb())
    try:
        heads = _train(workspace, planned, task, ledger, heartbeat, began)
        run = find_run(workspace, str(planned.folder))
        metrics = {}
        for dataset, split in task.targets:
            if task.seconds is not None and time.monotonic() - began > task.seconds:
                raise Interrupted("the time is over before all is evaluated; the same command goes on from here.")
            start = time.monotonic()
            (found,) = evaluate(workspace, run, [(dataset, split)], task.machine, Silent())
            if found.made:
                clips = max(numbers.n_evaluated for numbers in found.metrics.labels.values())
                ledger.evaluations[dataset] = {"seconds": time.monotonic() - start, "clips": clips}
                ledger.save()
            metrics[dataset] = found.metrics.as_dict()["labels"]
    finally:
        ledger.peak("peak_mb", peak_mb())
        if torch.cuda.is_available():
            ledger.peak("cuda_mb", torch.cuda.max_memory_allocated() / 1e6)
        ledger.save()
    within, cross = (metrics[dataset] for dataset, _ in task.targets)
    labels = {label: parts_of(within[label], cross[label]) for label in cross}
    return {"run": planned.name, "labels": labels, "heads": heads, "cost": ledger.cost(len(task.targets))}


def named_apart(planned: PlannedRun) -> PlannedRun:
    """The same run under a name of this experiment's."""
    name = planned.name + _SUFFIX
    return replace(planned, name=name, folder=planned.folder.with_name(name))


def _train(
    workspace: Workspace,
    planned: PlannedRun,
    task: Task,
    ledger: Ledger,
    heartbeat: Callable[[], None],
    began: float,
) -> dict[str, Any]:
    """What the training says of each head; a sitting that trains stands in the ledger, whatever ends it."""
    finished = all(is_summarised(planned.folder / label) for label in task.request.labels)
    watch = Stopwatch(heartbeat)
    left = None if task.seconds is None else (task.seconds - (time.monotonic() - began)) / 60
    if not finished:
        ledger.sittings.append(None)
        ledger.save()
    start = time.monotonic()
    try:
        trained = train_run(workspace, planned, task.machine, watch, time_limit_minutes=left)
    finally:
        if not finished:
            seconds = time.monotonic() - start
            ledger.sittings[-1] = {"seconds": seconds, "steps": watch.steps, "step_seconds": watch.seconds}
            ledger.save()
    heads: dict[str, Any] = trained["heads"]
    return heads


def parts_of(within: dict[str, Any], cross: dict[str, Any]) -> dict[str, Any]:
    """The parts of a label, as ``benchmarks.pocket`` keeps them, and 'restricted': those of Table 2, where only the
    classes of the part compete.

    Args:
        within: what ``metrics.json`` says of the label on the source's test clips.
        cross: on the other dataset's.
    """
    forms = {
        form: {part: _part(cross["parts"][part][form]) for part in ("shared", "novel")}
        for form in ("unrestricted", "restricted")
    }
    whole = {"within": _part(within), "cross": _part(cross)}
    return {**whole, **forms["unrestricted"], "restricted": forms["restricted"]}


def _part(counted: dict[str, Any]) -> Part:
    recordings = counted["recordings"]
    right = float(sum(good for good, _ in recordings.values()))
    return {"clips": counted["n_evaluated"], "right": right, "recordings": recordings}


def peak_mb() -> float:
    """The most memory that this process has had in use, in 10⁶ bytes, shared pages and mapped files included.

    Linux carries ``ru_maxrss`` over from the process that started this one; what stands in /proc is this one's own.
    """
    most = of_status("VmHWM")
    if most is not None:
        return most / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
