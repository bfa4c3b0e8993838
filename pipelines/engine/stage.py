"""The stage contract, written once.

A stage is a pure function from input artifacts and parameters to shards. It says which shards there
are to make (:meth:`Stage.units`) and makes them (:meth:`Stage.make`); everything else (what is done,
stale or missing, locks, limits, failures, resuming) is here and the same for all of them.
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
from pipelines.engine.shards import (
    NOT_COUNTED_AS_FAILURE,
    DamagedShard,
    Footer,
    Layout,
    ShardWriter,
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
        path: where the finished shard stands.
        inputs: what it reads, as name → content digest.
        attempted: how many rows it will try to make.
        size: about how many bytes it will take.
        payload: whatever the stage needs to make it.
    """

    group: str
    path: Path
    inputs: Mapping[str, str]
    attempted: int = 0
    size: int = 0
    payload: Any = None


OpenShard = Callable[[Unit], AbstractContextManager[ShardWriter]]


class Declared(Protocol):
    """What the keys of a stage's shards cover beside their inputs."""

    @property
    def name(self) -> str:
        """The stage's name."""
        ...

    @property
    def version(self) -> int:
        """Schema version: raised when the same inputs and parameters give other bytes than before."""
        ...

    @property
    def params(self) -> Mapping[str, Any]:
        """Plain values, all that changes the bytes it writes, and nothing else."""
        ...


class Stage(Declared, Protocol):
    """What a stage declares and does."""

    @property
    def title(self) -> str:
        """What it is made of, for whoever watches: dataset, split, stream."""
        ...

    @property
    def provenance(self) -> Mapping[str, Any]:
        """What made the rows, for those who read them; must agree among shards used together."""
        ...

    @property
    def environment(self) -> Mapping[str, Any]:
        """Versions, device, batch shape: recorded, not part of the key."""
        ...

    @property
    def layout(self) -> Layout:
        """How its shards are written."""
        ...

    @property
    def sides(self) -> Mapping[str, Layout]:
        """Its side parts; 'failures' where rows can fail."""
        ...

    @property
    def folder(self) -> Path:
        """Where its shards stand."""
        ...

    @property
    def command(self) -> str:
        """The command that makes them, as a user would type it."""
        ...

    def units(self) -> list[Unit]:
        """Every shard there should be, in a fixed order. Reads no model and no video."""
        ...

    def make(self, units: Iterable[Unit], open_shard: OpenShard, progress: Progress) -> Iterator[Unit]:
        """Make the given units, yielding each when it is committed. Units are drawn when needed."""
        ...


class State(enum.StrEnum):
    """What is known of a shard from its footer."""

    DONE = "done"
    STALE = "stale"
    MISSING = "missing"
    DAMAGED = "damaged"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True)
class Inspection:
    """A unit, its state and why."""

    unit: Unit
    state: State
    why: str
    footer: Footer | None = None


def inspect(stage: Declared, unit: Unit, *, as_recorded: bool = False) -> Inspection:
    """Compare a shard's footer with what it should be made from.

    Args:
        stage: what makes it.
        unit: the shard.
        as_recorded: the shard itself says which inputs it has; those that ``unit`` does not name count as unchanged.
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
    """What a stage would do and why."""

    todo: list[Inspection]
    done: list[Inspection]

    @property
    def size(self) -> int:
        """About how many bytes the shards to make will take."""
        return sum(item.unit.size for item in self.todo)


@dataclass
class Report:
    """What a run of a stage did, and how its shards stand now."""

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
        """Failed rows that count against the limit."""
        return sum(n for reason, n in self.failures.items() if reason not in NOT_COUNTED_AS_FAILURE)


def plan(stage: Stage, policy: RunPolicy | None = None) -> Plan:
    """Sort a stage's units into those to make and those done, honouring ``retry_failed`` and ``shard``."""
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
    """Make what is missing, stale, damaged or incomplete, and nothing else.

    Shards that another process of this host is making are waited for and made here if that
    process dies.

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
            f"the errors stand in its failures/ folder. Try the failed rows again with: {stage.command} --retry-failed"
        )
    return report


def _as_text(limit: int | float) -> str:
    return f"{100 * limit:g} %" if isinstance(limit, float) else str(limit)


def require_same(what: str, values: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse artifacts that were not made the same way.

    Args:
        what: what they are to be used for, for the message.
        values: where → provenance of each.

    Raises:
        InputError: two of them disagree; names the entry, both values and both places.
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
