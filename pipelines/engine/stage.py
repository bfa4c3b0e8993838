"""Define the contract of a stage, plan its shards and run it.

A stage is a pure function from input artifacts and parameters to shards. It lists its shards (:meth:`Stage.units`) and
makes them (:meth:`Stage.make`). All else is the same for every stage: finding done, stale and missing shards
(:mod:`pipelines.engine.inspection`), and here locks, limits, failures and resuming.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from data_manifests.errors import InputError, MissingUpstream
from pipelines.engine.inspection import Inspection, State, Unit, inspect
from pipelines.engine.locks import LockedElsewhere, ShardLock
from pipelines.engine.memory import release_memory
from pipelines.engine.progress import Progress, Silent
from pipelines.engine.report import Report, Reported, conclude, new_report
from pipelines.engine.run_policy import RunPolicy, parse_max_failures, parse_shard
from pipelines.engine.shard_writer import ShardWriter
from pipelines.engine.shards import Footer, Layout

_WAIT_S = 0.5

OpenShard = Callable[[Unit], AbstractContextManager[ShardWriter]]


class Stage(Reported, Protocol):
    """A step of the chain that makes shards."""

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

    def units(self) -> list[Unit]:
        """List all shards that the stage should have, in a fixed order.

        A shard whose inputs are not there yet is listed too; its unit says what it lacks. Reads no model and decodes no
        video.
        """
        ...

    def make(self, units: Iterable[Unit], open_shard: OpenShard, progress: Progress) -> Iterator[Unit]:
        """Make the given units, drawn as needed; yield each when committed.

        ``progress.advance`` may report rows before their unit is committed; the rest is added then.
        """
        ...


@runtime_checkable
class WritesScratch(Protocol):
    """A stage that also writes temporary files outside its folder."""

    def remove_old_scratch(self) -> None:
        """Remove what killed processes left there."""
        ...


@dataclass(frozen=True)
class Plan:
    """Units to make with the reason, done units, and lacking ones.

    A lacking unit cannot be made, since an earlier stage has not made its input.
    """

    todo: list[Inspection]
    done: list[Inspection]
    lacking: list[Unit]

    @property
    def size(self) -> int:
        """Expected size of the shards to make, in bytes, about."""
        return sum(item.unit.size for item in self.todo)


def plan(stage: Stage, policy: RunPolicy | None = None) -> Plan:
    """Sort a stage's units into those to make and those done.

    The policy's ``shard``, ``retry_failed`` and ``limit`` apply.
    """
    return _sorted(stage, stage.units(), policy or RunPolicy())


def _sorted(stage: Stage, units: Sequence[Unit], policy: RunPolicy) -> Plan:
    todo: list[Inspection] = []
    done: list[Inspection] = []
    share = [unit for unit in units if policy.takes(unit.path.name)]
    for unit in share:
        if unit.lacks:
            continue
        item = inspect(stage, unit)
        if item.state is State.DONE and policy.retry_failed and item.footer and item.footer.failures:
            item = Inspection(unit, State.INCOMPLETE, "retrying its failed rows", item.footer)
        (done if item.state is State.DONE else todo).append(item)
    lacking = [unit for unit in share if unit.lacks]
    return Plan(todo[: policy.limit] if policy.limit is not None else todo, done, lacking)


def run(stage: Stage, policy: RunPolicy | None = None, progress: Progress | None = None) -> Report:
    """Make only the missing, stale, damaged and incomplete shards of a stage.

    If another process of this host is making a shard, this one waits, and makes the shard if that process dies.

    Raises:
        MissingUpstream: shards lack inputs that an earlier stage has not made yet, and ``policy.allow_partial`` is
            False. Nothing is made.
        TooManyFailures: more rows failed than ``policy.max_failures`` allows, or all of them.
        LockedElsewhere: another host seems to be making a shard, also after ``policy.wait_lock_s`` seconds.
    """
    policy, progress = policy or RunPolicy(), progress or Silent()
    if isinstance(stage, WritesScratch):  # also where nothing is to be made
        stage.remove_old_scratch()
    units = stage.units()
    first = _sorted(stage, units, policy)
    note_or_refuse(stage, first.lacking, policy, progress)
    report = new_report(stage, len(first.done))
    begun = time.monotonic()
    rows = _Rows(stage, first, progress)
    try:
        for unit, here in make_shards(stage, first.todo, policy, rows):
            report.count(unit, here)
            rows.commit(unit)
    finally:
        progress.finish()
        release_memory()  # a network that is no longer needed, for instance
    report.seconds = time.monotonic() - begun
    unchanged = {} if first.todo else {item.unit.path: item for item in first.done}
    return conclude(stage, units, policy, report, unchanged)


def make_shards(
    stage: Stage, items: Sequence[Inspection], policy: RunPolicy, progress: Progress
) -> Iterator[tuple[Unit, bool]]:
    """Make shards, each under its lock.

    If another process of this host is making a shard, this one waits, and makes the shard if that process dies.

    Yields:
        Each unit once its shard is there; True where it was made here, False where another process made it.

    Raises:
        LockedElsewhere: another host seems to be making a shard, also after ``policy.wait_lock_s`` seconds.
    """
    locks = {item.unit.group: _lock(stage, item.unit, policy) for item in items}
    waiting = [item.unit for item in items]
    retried = {item.unit.group: item.footer for item in items if item.state is State.INCOMPLETE}
    while waiting:
        busy: list[Unit] = []
        by_others: list[Unit] = []

        def claimed(
            claimable: list[Unit] = waiting, busy: list[Unit] = busy, by_others: list[Unit] = by_others
        ) -> Iterator[Unit]:
            for unit in claimable:
                if not _acquired(locks[unit.group], policy.wait_lock_s > 0):
                    busy.append(unit)
                elif _done_since(stage, unit, retried.get(unit.group)):
                    # Made by another process since the plan was drawn.
                    locks[unit.group].release()
                    by_others.append(unit)
                else:
                    yield unit

        try:
            for unit in stage.make(claimed(), _opener(stage), progress):
                locks[unit.group].release()
                yield unit, True
        finally:
            for lock in locks.values():
                lock.release()
        yield from ((unit, False) for unit in by_others)
        if busy:
            progress.note(f"{len(busy)} shards are being made by another process; waiting for them")
            _wait_for(locks[busy[0].group], policy.wait_lock_s)
        waiting = busy


class _Rows:
    """Progress in rows, of which a stage may report some before it commits their unit.

    Where no unit knows its rows, progress is in shards.
    """

    def __init__(self, stage: Stage, plan: Plan, progress: Progress) -> None:
        every = [item.unit for item in (*plan.done, *plan.todo)]
        self._progress, self._by_row = progress, any(unit.attempted for unit in every)
        self._total = sum(map(self._weight, every))
        self._committed = self._shown = sum(self._weight(item.unit) for item in plan.done)
        self.start(f"{stage.name} {stage.title}", self._total, stage.counted if self._by_row else "shards", self._shown)

    def start(self, what: str, total: int, unit: str = "", done: int = 0) -> None:
        self._progress.start(what, total, unit, done)

    def advance(self, steps: int = 1) -> None:
        self._show(self._shown + steps if self._by_row else self._shown)

    def commit(self, unit: Unit) -> None:
        self._committed += self._weight(unit)
        self._show(max(self._shown, self._committed))

    def note(self, text: str) -> None:
        self._progress.note(text)

    def state(self, text: str) -> None:
        self._progress.state(text)

    def finish(self) -> None:
        self._progress.finish()

    def _weight(self, unit: Unit) -> int:
        return unit.attempted if self._by_row else 1

    def _show(self, rows: int) -> None:
        rows = min(rows, self._total)
        if rows > self._shown:
            self._progress.advance(rows - self._shown)
            self._shown = rows


def _done_since(stage: Stage, unit: Unit, retried: Footer | None) -> bool:
    now = inspect(stage, unit)
    return now.state is State.DONE and (retried is None or now.footer != retried)


def _lock(stage: Stage, unit: Unit, policy: RunPolicy) -> ShardLock:
    return ShardLock(stage.folder / ".locks" / f"{unit.path.name}.lock", break_lock=policy.break_lock)


def note_or_refuse(stage: Stage, lacking: Sequence[Unit], policy: RunPolicy, progress: Progress) -> None:
    """Report units that lack an input.

    Raises:
        MissingUpstream: there are any, and ``policy.allow_partial`` is False.
    """
    if not lacking:
        return
    what = "1 shard cannot" if len(lacking) == 1 else f"{len(lacking)} shards cannot"
    text = f"{stage.name} {stage.title}: {what} be made yet. The first, {lacking[0].path}, lacks {lacking[0].lacks}"
    if not policy.allow_partial:
        raise MissingUpstream(f"{text}, and then this again. --allow-partial makes the other shards now.")
    progress.note(f"{text}, and then this again.")


def _acquired(lock: ShardLock, waits: bool) -> bool:
    """Take a lock if it is free; where the call ``waits``, one of another host counts as not free."""
    try:
        return lock.acquire()
    except LockedElsewhere:
        if not waits:
            raise
        return False


def _wait_for(lock: ShardLock, elsewhere_s: float) -> None:
    """Wait until a lock is free: as long as it takes on this host, some seconds for another host."""
    end = time.monotonic() + elsewhere_s
    while not _acquired(lock, time.monotonic() < end):
        time.sleep(_WAIT_S)
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
    "LockedElsewhere",
    "Plan",
    "Report",
    "RunPolicy",
    "Stage",
    "Unit",
    "parse_max_failures",
    "parse_shard",
    "plan",
    "require_same",
    "run",
]
