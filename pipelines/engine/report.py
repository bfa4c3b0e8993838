"""Count what a run made and what is there.

Failures are compared with their limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from data_manifests.errors import TooManyFailures
from pipelines.engine.inspection import Declared, Inspection, State, Unit, inspect
from pipelines.engine.run_policy import RunPolicy
from pipelines.engine.shards import NOT_COUNTED_AS_FAILURE, TRANSIENT


class Reported(Declared, Protocol):
    """Name, folder and command of a stage, which its reports give."""

    @property
    def title(self) -> str:
        """Dataset, split and stream, as shown in progress reports."""
        ...

    @property
    def counted(self) -> str:
        """What a unit attempts to make, in the plural, e.g. 'frames'."""
        ...

    @property
    def folder(self) -> Path:
        """Folder of the shards."""
        ...

    @property
    def command(self) -> str:
        """Command line that makes the shards, as a user would type it."""
        ...


@dataclass
class Report:
    """Counts of one run of a stage, and of all its shards.

    ``remaining`` shards are missing, stale, damaged or lack an input. ``rows``, ``attempted`` and ``failures`` cover
    all shards that are not stale. ``made_rows`` were attempted by this run, in ``seconds``; a row is one of
    ``counted``.
    """

    stage: str
    folder: str
    title: str = ""
    counted: str = "rows"
    made_rows: int = 0
    seconds: float = 0.0
    shards: int = 0
    already_done: int = 0
    made: int = 0
    remaining: int = 0
    rows: int = 0
    attempted: int = 0
    failures: dict[str, int] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        """Number of failed rows that count against the limit."""
        return sum(n for reason, n in self.failures.items() if reason not in NOT_COUNTED_AS_FAILURE)

    def count(self, unit: Unit, here: bool) -> None:
        """Count a shard that this run or another process made."""
        if here:
            self.made += 1
            self.made_rows += unit.attempted
        else:
            self.already_done += 1


def new_report(stage: Reported, done: int = 0) -> Report:
    """Return the report of a run before anything is made."""
    return Report(stage.name, str(stage.folder), stage.title, stage.counted, already_done=done)


def conclude(
    stage: Reported,
    units: Sequence[Unit],
    policy: RunPolicy,
    report: Report,
    unchanged: Mapping[Path, Inspection] = MappingProxyType({}),
) -> Report:
    """Complete a report by the shards that are there now.

    ``unchanged`` has the shards that were looked at a moment ago, by file. They are not read again.

    Raises:
        TooManyFailures: more rows failed than ``policy.max_failures`` allows, or all of them.
    """
    for unit in units:
        item = unchanged.get(unit.path) or inspect(stage, unit)
        report.shards += 1
        if unit.lacks:
            report.remaining += 1
            continue
        report.remaining += item.state in (State.MISSING, State.STALE, State.DAMAGED)
        if item.footer is None or item.state is State.STALE:
            continue
        report.rows += item.footer.rows
        report.attempted += item.footer.attempted
        for reason, count in item.footer.failures.items():
            report.failures[reason] = report.failures.get(reason, 0) + count
    uncounted = sum(report.failures.get(reason, 0) for reason in NOT_COUNTED_AS_FAILURE)
    attempted = report.attempted - uncounted
    limit = policy.max_failures
    allowed = limit * attempted if isinstance(limit, float) else limit
    if policy.shard[1] > 1 and report.remaining:
        # One bad video is much of what the first tasks of an array have made, and little of the whole.
        allowed = max(allowed, attempted - 1)
    if report.failed and (report.failed > allowed or report.failed >= attempted):
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(report.failures.items()))
        raise TooManyFailures(
            f"{stage.name}: {report.failed} of {attempted} rows failed ({reasons}); "
            f"--max-failures allows {_as_text(limit)}. Everything that succeeded is kept in {stage.folder}; "
            f"the errors are in its failures/ folder. {_after_failures(stage, report, attempted)}"
        )
    return report


def _after_failures(stage: Reported, report: Report, attempted: int) -> str:
    """Say what to do next: failures of the data come again, and those of the machine may not."""
    if TRANSIENT & set(report.failures):
        return f"Try the failed rows again with: {stage.command} --retry-failed"
    again = f"They would fail again. Mend what the errors name, then run {stage.command} --retry-failed"
    if report.failed >= attempted:
        return again
    return f"{again} or accept them with {stage.command} --max-failures {report.failed}"


def _as_text(limit: int | float) -> str:
    return f"{100 * limit:g} %" if isinstance(limit, float) else str(limit)
