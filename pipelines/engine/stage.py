"""Define the contract of a stage, plan its shards and run it.

A stage is a pure function from input artifacts and parameters to shards. It lists its shards (:meth:`Stage.units`) and
makes them (:meth:`Stage.make`). All else is here and the same for every stage: finding done, stale and missing shards,
locks, limits, failures and resuming.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from data_manifests.errors import InputError, TooManyFailures
from pipelines.engine.locks import LockedElsewhere, ShardLock
from pipelines.engine.memory import release_memory
from pipelines.engine.progress import Progress, Silent
from pipelines.engine.run_policy import RunPolicy, parse_max_failures, parse_shard
from pipelines.engine.shard_writer import ShardWriter
from pipelines.engine.shards import (
    NOT_COUNTED_AS_FAILURE,
    DamagedShard,
    Footer,
    Layout,
    footer_of_side,
    read_footer,
    shard_key,
    side_path,
)


@dataclass(frozen=True)
class Unit:
    """One shard to make.

    Attributes:
        group: the group of videos it holds; part of the file name.
        path: file of the finished shard.
        inputs: name → content digest of each input.
        attempted: number of rows that the stage will try to make.
        size: expected size in bytes, about.
        payload: data that the stage needs to make it.
    """

    group: str
    path: Path
    inputs: Mapping[str, str]
    attempted: int = 0
    size: int = 0
    payload: Any = None


OpenShard = Callable[[Unit], AbstractContextManager[ShardWriter]]


class Declared(Protocol):
    """Name, version and parameters of a stage, which its shard keys cover."""

    @property
    def name(self) -> str:
        """Name of the stage."""
        ...

    @property
    def version(self) -> int:
        """Schema version; raised when equal inputs and parameters give other bytes."""
        ...

    @property
    def params(self) -> Mapping[str, Any]:
        """Exactly those plain values that change the bytes of the shards."""
        ...


class Stage(Declared, Protocol):
    """A step of the chain that makes shards."""

    @property
    def title(self) -> str:
        """Dataset, split and stream, as shown in progress reports."""
        ...

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Origin of the rows; shards used together must agree in it."""
        ...

    @property
    def environment(self) -> Mapping[str, Any]:
        """Versions, device and batch shape; recorded, not part of the key."""
        ...

    @property
    def layout(self) -> Layout:
        """Layout of the stage's shards."""
        ...

    @property
    def sides(self) -> Mapping[str, Layout]:
        """Layouts of the side parts; 'failures' where rows can fail."""
        ...

    @property
    def folder(self) -> Path:
        """Folder of the shards."""
        ...

    @property
    def command(self) -> str:
        """Command line that makes the shards, as a user would type it."""
        ...

    def units(self) -> list[Unit]:
        """List all shards that the stage should have, in a fixed order.

        Reads no model and decodes no video.
        """
        ...

    def make(self, units: Iterable[Unit], open_shard: OpenShard, progress: Progress) -> Iterator[Unit]:
        """Make the given units, drawn as needed; yield each when committed."""
        ...


class State(enum.StrEnum):
    """State of a shard by its footer."""

    DONE = "done"
    STALE = "stale"
    MISSING = "missing"
    DAMAGED = "damaged"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True)
class Inspection:
    """A unit with its state, the reason, and its footer if readable."""

    unit: Unit
    state: State
    why: str
    footer: Footer | None = None


def inspect(stage: Declared, unit: Unit, *, as_recorded: bool = False) -> Inspection:
    """Compare the footer of a shard with its stage and inputs.

    Args:
        stage: the stage that makes the shard.
        unit: the shard, with its inputs as they are now.
        as_recorded: take the names of the inputs from the shard's footer; those that ``unit`` lacks count as unchanged.
    """
    try:
        footer = read_footer(unit.path)
    except FileNotFoundError:
        return Inspection(unit, State.MISSING, "not made yet")
    except DamagedShard as error:
        return Inspection(unit, State.DAMAGED, str(error))
    if as_recorded:
        unit = replace(unit, inputs={name: unit.inputs.get(name, then) for name, then in footer.inputs.items()})
    if footer.key != shard_key(stage.name, stage.version, stage.params, unit.inputs):
        return Inspection(unit, State.STALE, _what_changed(stage, unit, footer), footer)
    for side, digest in footer.sides.items():
        if footer_of_side(unit.path, side) != digest:
            part = side_path(unit.path, side).relative_to(unit.path.parent)
            return Inspection(unit, State.DAMAGED, f"its side part {part} is missing or of another run")
    if not footer.complete:
        reasons = ", ".join(f"{n} {reason}" for reason, n in footer.failures.items())
        return Inspection(unit, State.INCOMPLETE, f"failures that may pass: {reasons}", footer)
    return Inspection(unit, State.DONE, "", footer)


def _what_changed(stage: Declared, unit: Unit, footer: Footer) -> str:
    if (footer.stage, footer.version) != (stage.name, stage.version):
        return f"written by {footer.stage} version {footer.version}, now {stage.name} version {stage.version}"
    for what, old, new in (("", footer.params, stage.params), ("input ", footer.inputs, unit.inputs)):
        changed = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
        if changed:
            name = changed[0]
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            if name not in new:
                return f"{what}{name} is gone{more}"
            if name not in old:
                return f"{what}{name} is new{more}"
            if what:
                return f"{what}{name} changed{more}"
            return f"{name} changed from {old[name]!r} to {new[name]!r}{more}"
    return "key differs"


@dataclass(frozen=True)
class Plan:
    """Units to make, each with the reason, and units already done."""

    todo: list[Inspection]
    done: list[Inspection]

    @property
    def size(self) -> int:
        """Expected size of the shards to make, in bytes, about."""
        return sum(item.unit.size for item in self.todo)


@dataclass
class Report:
    """Counts of one run of a stage, and of all its shards.

    ``remaining`` shards are missing, stale or damaged. ``rows``, ``attempted`` and ``failures`` cover all shards that
    are not stale.
    """

    stage: str
    folder: str
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


def plan(stage: Stage, policy: RunPolicy | None = None) -> Plan:
    """Sort a stage's units into those to make and those done.

    The policy's ``shard``, ``retry_failed`` and ``limit`` apply.
    """
    return _sorted(stage, stage.units(), policy or RunPolicy())


def _sorted(stage: Stage, units: Sequence[Unit], policy: RunPolicy) -> Plan:
    index, count = policy.shard
    todo: list[Inspection] = []
    done: list[Inspection] = []
    for unit in units[index::count]:
        item = inspect(stage, unit)
        if item.state is State.DONE and policy.retry_failed and item.footer and item.footer.failures:
            item = Inspection(unit, State.INCOMPLETE, "retrying its failed rows", item.footer)
        (done if item.state is State.DONE else todo).append(item)
    return Plan(todo[: policy.limit] if policy.limit is not None else todo, done)


def run(stage: Stage, policy: RunPolicy | None = None, progress: Progress | None = None) -> Report:
    """Make only the missing, stale, damaged and incomplete shards of a stage.

    If another process of this host is making a shard, this one waits, and makes the shard if that process dies.

    Raises:
        TooManyFailures: more rows failed than ``policy.max_failures`` allows, or all of them.
        LockedElsewhere: another host seems to be making a shard.
    """
    policy, progress = policy or RunPolicy(), progress or Silent()
    units = stage.units()
    first = _sorted(stage, units, policy)
    report = Report(stage.name, str(stage.folder), already_done=len(first.done))
    progress.start(f"{stage.name} {stage.title}", len(first.todo) + len(first.done))
    progress.advance(len(first.done))
    locks = {item.unit.group: _lock(stage, item.unit, policy) for item in first.todo}
    waiting = [item.unit for item in first.todo]
    retried = {item.unit.group: item.footer for item in first.todo if item.state is State.INCOMPLETE}
    try:
        while waiting:
            busy: list[Unit] = []

            def claimed(claimable: list[Unit] = waiting, busy: list[Unit] = busy) -> Iterator[Unit]:
                for unit in claimable:
                    if not locks[unit.group].acquire():
                        busy.append(unit)
                    elif _done_since(stage, unit, retried.get(unit.group)):
                        # Made by another process since the plan was drawn.
                        locks[unit.group].release()
                        report.already_done += 1
                        progress.advance()
                    else:
                        yield unit

            try:
                for unit in stage.make(claimed(), _opener(stage), progress):
                    locks[unit.group].release()
                    report.made += 1
                    progress.advance()
            finally:
                for lock in locks.values():
                    lock.release()
            if busy:
                progress.note(f"{len(busy)} shards are being made by another process; waiting for them")
                _wait_for(locks[busy[0].group])
            waiting = busy
    finally:
        progress.finish()
        release_memory()  # a network that is no longer needed, for instance
    return _conclude(stage, units, policy, report)


def _done_since(stage: Stage, unit: Unit, retried: Footer | None) -> bool:
    now = inspect(stage, unit)
    return now.state is State.DONE and (retried is None or now.footer != retried)


def _lock(stage: Stage, unit: Unit, policy: RunPolicy) -> ShardLock:
    return ShardLock(stage.folder / ".locks" / f"{unit.path.name}.lock", break_lock=policy.break_lock)


def _wait_for(lock: ShardLock) -> None:
    while not lock.acquire():
        time.sleep(0.5)
    lock.release()


def _opener(stage: Stage) -> OpenShard:
    def open_shard(unit: Unit) -> ShardWriter:
        return ShardWriter(
            unit.path,
            stage.layout,
            stage.sides,
            stage=stage.name,
            version=stage.version,
            params=stage.params,
            inputs=unit.inputs,
            attempted=unit.attempted,
            provenance=stage.provenance,
            environment=stage.environment,
        )

    return open_shard


def _conclude(stage: Stage, units: Sequence[Unit], policy: RunPolicy, report: Report) -> Report:
    for unit in units:
        item = inspect(stage, unit)
        report.shards += 1
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
    if report.failed and (report.failed > allowed or report.failed >= attempted):
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(report.failures.items()))
        raise TooManyFailures(
            f"{stage.name}: {report.failed} of {attempted} rows failed ({reasons}); "
            f"--max-failures allows {_as_text(limit)}. Everything that succeeded is kept in {stage.folder}; "
            f"the errors are in its failures/ folder. Try the failed rows again with: {stage.command} --retry-failed"
        )
    return report


def _as_text(limit: int | float) -> str:
    return f"{100 * limit:g} %" if isinstance(limit, float) else str(limit)


def require_same(what: str, values: Mapping[str, Mapping[str, Any]]) -> None:
    """Check that artifacts have the same provenance.

    Args:
        what: purpose of the artifacts, for the message.
        values: place of each artifact → its provenance.

    Raises:
        InputError: two of them disagree; the text names the entry, both values and both places.
    """
    (first_place, first), *others = values.items()
    for place, other in others:
        for name in sorted({*first, *other}):
            if first.get(name) != other.get(name):
                raise InputError(
                    f"{what}: {name} is {first.get(name)!r} in {first_place} but {other.get(name)!r} in {place}. "
                    "Make both with the same settings."
                )


__all__ = [
    "Inspection",
    "LockedElsewhere",
    "Plan",
    "Report",
    "RunPolicy",
    "Stage",
    "State",
    "Unit",
    "inspect",
    "parse_max_failures",
    "parse_shard",
    "plan",
    "require_same",
    "run",
]
