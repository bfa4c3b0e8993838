"""Count the shards of a stage folder by state; verify rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.engine.inspection import Inspection, State
from pipelines.engine.run_policy import share_of
from pipelines.engine.shards import DamagedShard, read_footer, rows_digest, set_aside, side_path


@dataclass(frozen=True)
class Recorded:
    """Name, version and parameters of a stage as its shards recorded them.

    They are enough to tell whether the shards are up to date.
    """

    name: str
    version: int
    params: Mapping[str, Any]


@dataclass
class StageStatus:
    """Counts of the shards of one stage folder by state."""

    stage: str
    dataset: str
    split: str
    what: str
    folder: str
    done: int = 0
    stale: int = 0
    missing: int = 0
    damaged: int = 0
    incomplete: int = 0
    rows: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    missing_videos: int = 0
    absent: list[str] = field(default_factory=list)
    """What is found of videos that the last prepare did not find, in sentences."""
    why: dict[str, str] = field(default_factory=dict)
    """Shard → why it is not done."""
    states: dict[str, str] = field(default_factory=dict)
    """Shard → its state, of those that are not done."""
    next: str = ""
    """The command to run, when something is to be done."""
    differs: str = ""
    """Of a run, or an evaluation of one: what tells it apart, see :mod:`pipelines.evaluate.differs`."""

    def count(self, items: Iterable[Inspection], command: str, verify: bool) -> StageStatus:
        """Count shards by state.

        ``command`` makes those that are not done. With ``verify`` the rows of done shards are checked.
        """
        for item in items:
            self._add(_verified(item) if verify and item.state is State.DONE else item)
        self.next = command if self.why else ""
        return self

    def _add(self, item: Inspection) -> None:
        setattr(self, item.state.value, getattr(self, item.state.value) + 1)
        if item.state is not State.DONE:
            self.why[item.unit.path.name] = item.why
            self.states[item.unit.path.name] = item.state.value
        if item.footer is not None and item.state in (State.DONE, State.INCOMPLETE):
            self.rows += item.footer.rows
            for reason, count in item.footer.failures.items():
                self.failures[reason] = self.failures.get(reason, 0) + count


def _verified(item: Inspection) -> Inspection:
    """Compare a shard's rows and side parts with their digests."""
    try:
        require_rows(item.unit.path)
    except DamagedShard as error:
        return Inspection(item.unit, State.DAMAGED, str(error))
    return item


def require_rows(path: Path) -> None:
    """Compare the rows of a table with their digest.

    Its side parts are read too.

    Raises:
        DamagedShard: the rows are not those that were written; the file is set aside.
    """
    footer = read_footer(path)
    for file, digest in [(path, footer.digest), *((side_path(path, s), d) for s, d in footer.sides.items())]:
        if rows_digest(file) != digest:
            aside = set_aside(file)
            raise DamagedShard(f"the rows of {file.name} are not those that were written; renamed {aside.name}")


_OF_ARRAYS = ("decode", "detect-hands", "embed", "embed text")


def open_shards(found: Iterable[StageStatus], tasks: int | None) -> list[dict[str, Any]]:
    """List the shards that are not done.

    Args:
        found: status of the stages.
        tasks: N of a job array, for the number of the task (``--shard i/N``) that makes each shard.

    Returns:
        A shard's stage, dataset, split, what, folder, shard (name of its file), state, why, task, and the command
        that makes it (next).
    """
    return [
        {
            **{name: getattr(item, name) for name in ("stage", "dataset", "split", "what", "folder")},
            "shard": shard,
            "state": state,
            "why": item.why.get(shard, "not started"),
            "task": None if tasks is None else share_of(shard, tasks),
            "next": item.next,
        }
        for item in found
        if item.stage in _OF_ARRAYS
        for shard, state in item.states.items()
    ]
