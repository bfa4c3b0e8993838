"""Run stages on several devices of one machine, a process for each.

The processes make the same stages: the locks of the shards deal them out. Artifacts are those of a single process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from data_manifests.errors import TooManyFailures, UsageError, XmicError
from pipelines.engine import stage
from pipelines.engine.progress import Progress, Silent
from pipelines.engine.report import Report
from pipelines.engine.stage import RunPolicy, Stage
from pipelines.engine.workers import run_killable

Build = Callable[[], Sequence[Stage]]
"""Builds the stages for one device. For several devices it must pickle."""

_PATIENCE_S = 3600.0
"""Longest time without any progress. Loading and compiling a large network take minutes."""


def run_on_each(builds: Sequence[Build], policy: RunPolicy, progress: Progress) -> Iterator[tuple[Stage, Report]]:
    """Run stages by one process per device.

    With one device, or at most one shard to make in a stage, they are run in this process.

    Args:
        builds: builds the same stages for each device.
        policy: choice of shards and limit on failures.
        progress: receives the progress of all processes.

    Yields:
        Each stage with its report, in order.

    Raises:
        UsageError: the policy has a limit, which several processes cannot keep.
        XmicError: as :func:`pipelines.engine.stage.run` does; what was made is kept.
    """
    stages = builds[0]()
    if len(builds) > 1 and policy.limit is not None:
        raise UsageError(f"--limit {policy.limit}: several processes cannot keep it; leave --devices out")
    plans = [stage.plan(item, policy) for item in stages] if len(builds) > 1 else []
    processes = min(len(builds), max((len(plan.todo) for plan in plans), default=1))
    if processes < 2:
        for item in stages:
            yield item, stage.run(item, policy, progress)
        return
    made = _made_by_processes(builds[:processes], policy, progress)
    for item, plan, by_others in zip(stages, plans, made, strict=True):
        # What a process that died left, and the limit on failures.
        rest = replace(policy, retry_failed=False)
        report = stage.run(item, rest, progress if stage.plan(item, rest).todo else Silent())
        report.already_done = len(plan.done)
        report.made += by_others.made
        report.made_rows += by_others.made_rows
        report.seconds = max(report.seconds, by_others.seconds)
        yield item, report


def _made_by_processes(builds: Sequence[Build], policy: RunPolicy, progress: Progress) -> list[Report]:
    """Make the shards of all stages.

    Returns:
        For each stage what all processes made together.
    """
    shown, found = _Shown(progress), []
    tasks = [(number, (number, build, policy)) for number, build in enumerate(builds, start=1)]
    try:
        for outcome in run_killable(
            _make, tasks, workers=len(tasks), timeout_s=_PATIENCE_S, reason_of=_of_nothing, hear=shown.hear
        ):
            if isinstance(outcome.value, XmicError):
                raise outcome.value
            if outcome.value is None:
                progress.note(f"process {outcome.task_id} of {len(tasks)}: {outcome.error}; this one makes the rest")
            else:
                found.append(outcome.value)
    finally:
        shown.finish()
    stages = builds[0]()
    together = [Report(item.name, str(item.folder)) for item in stages]
    for reports in found:
        for total, report in zip(together, reports, strict=False):
            total.made += report.made
            total.made_rows += report.made_rows
            total.seconds = max(total.seconds, report.seconds)
    return together


def _make(task: tuple[int, Build, RunPolicy], say: Callable[..., None]) -> list[Report] | XmicError:
    """Make shards in a process of its own.

    Returns:
        The reports of the stages; those up to one with too many failures, which the caller finds again. Another error
        is returned: it is the data's or the user's.
    """
    number, build, policy = task
    say(("begun", number))
    reports: list[Report] = []
    try:
        for place, item in enumerate(build()):
            reports.append(stage.run(item, policy, _Said(place, say)))
    except TooManyFailures:
        pass
    except XmicError as error:
        return error
    return reports


def _of_nothing(error: BaseException) -> str | None:
    """Return None: an exception that is no XmicError is a mistake in the program."""
    return None


class _Said:
    """Progress of a process, which it says to the caller's."""

    def __init__(self, place: int, say: Callable[..., None]) -> None:
        self._place, self._say = place, say
        self._work: tuple[str, int, str] = ("", 0, "")
        self._done = 0

    def start(self, what: str, total: int, unit: str = "", done: int = 0) -> None:
        self._work, self._done = (what, total, unit), done
        self.advance(0)

    def advance(self, steps: int = 1) -> None:
        self._done += steps
        self._say(("rows", self._place, self._work, self._done))

    def note(self, text: str) -> None:
        self._say(("note", text))

    def state(self, text: str) -> None:
        self._say()

    def finish(self) -> None:
        self._say()


class _Shown:
    """Progress of all processes.

    Each process counts the rows of shards that it makes or finds made. So the one that is furthest has seen most.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._place = -1
        self._rows = 0
        self._heard: set[Any] = set()

    def hear(self, said: Any) -> None:
        if said[0] != "rows":
            if said[0] == "note" and said not in self._heard:
                self._progress.note(said[1])
            elif said[0] == "begun" and said in self._heard:
                self._progress.note(f"process {said[1]} died; others made its shards, and it is begun again")
            self._heard.add(said)
            return
        _, place, (what, total, unit), rows = said
        if place > self._place:
            self.finish()
            self._place, self._rows = place, rows
            self._progress.start(what, total, unit, rows)
        elif place == self._place and rows > self._rows:
            self._progress.advance(rows - self._rows)
            self._rows = rows

    def finish(self) -> None:
        if self._place >= 0:
            self._progress.finish()
