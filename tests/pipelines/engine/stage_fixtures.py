"""A small stage for tests of the contract, and a program that runs it so that it can be killed.

``python stage_fixtures.py FOLDER --die-in writing:b`` kills itself as ``kill -9`` would while it writes
group b; 'sides:b' does so before the side parts are renamed, 'shard:b' between them and the shard, 'done:b'
right after the shard. ``--hold b FILE`` waits in the middle of group b until FILE is gone.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.engine import shard_writer, stage
from pipelines.engine.progress import Progress
from pipelines.engine.shards import FAILURES_LAYOUT, Layout
from pipelines.engine.stage import OpenShard, RunPolicy, Unit

REPOSITORY = Path(__file__).resolve().parents[3]
ROWS = pa.schema([("video_id", pa.string()), ("n", pa.int64()), ("vector", pa.list_(pa.float16(), 4))])
NOTES = pa.schema([("video_id", pa.string()), ("words", pa.list_(pa.string()))])


def _pass(group: str, row: int) -> None:
    pass


@dataclass
class NumbersStage:
    """Writes ``sizes[group]`` rows and a few notes a group; says in ``made`` which groups it made."""

    folder: Path
    sizes: dict[str, int] = field(default_factory=lambda: {"a": 40, "b": 55, "c": 3})
    factor: int = 3
    version: int = 1
    upstream: dict[str, str] = field(default_factory=dict)
    """Digest of what a group reads; its name where nothing is given."""
    fails: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    """Group → (reason, how many rows)."""
    batch: int = 7
    backwards: bool = False
    at_row: Callable[[str, int], None] = _pass
    made: list[str] = field(default_factory=list)
    name: str = "numbers"
    title: str = "three groups"
    command: str = "xmic numbers"
    counted: str = "numbers"
    provenance: Mapping[str, Any] = field(default_factory=lambda: {"normalised": False})
    environment: Mapping[str, Any] = field(default_factory=dict)
    layout: Layout = field(default_factory=lambda: Layout(ROWS, row_group=16))
    sides: Mapping[str, Layout] = field(
        default_factory=lambda: {"notes": Layout(NOTES, row_group=4), "failures": FAILURES_LAYOUT}
    )

    @property
    def params(self) -> Mapping[str, Any]:
        return {"factor": self.factor, "names": ["n", "vector"]}

    def unit(self, group: str) -> Unit:
        """The unit of one group."""
        path = self.folder / f"part-{group}.parquet"
        failed = sum(count for _, count in self.fails.get(group, []))
        return Unit(group, path, {"upstream": self.upstream.get(group, group)}, self.sizes[group] + failed, 100)

    def units(self) -> list[Unit]:
        return [self.unit(group) for group in self.sizes]

    def make(self, units: Iterable[Unit], open_shard: OpenShard, progress: Progress) -> Iterator[Unit]:
        drawn = list(units)[::-1] if self.backwards else units
        for unit in drawn:
            with open_shard(unit) as shard:
                for start in range(0, self.sizes[unit.group], self.batch):
                    self.at_row(unit.group, start)
                    stop = min(start + self.batch, self.sizes[unit.group])
                    shard.write([self._row(unit.group, n) for n in range(start, stop)])
                    shard.write_side("notes", [self._note(unit.group, n) for n in range(start, stop)])
                for reason, count in self.fails.get(unit.group, []):
                    shard.fail(reason, f"what {reason} said", video_id=unit.group, rows=count)
            self.made.append(unit.group)
            yield unit

    def _row(self, group: str, n: int) -> dict[str, Any]:
        vector = None if n % 11 == 5 else [n * self.factor % 7, n, 0.5, -1]
        return {"video_id": None if n % 13 == 7 else f"{group}{n // 10}", "n": n * self.factor, "vector": vector}

    def _note(self, group: str, n: int) -> dict[str, Any]:
        return {"video_id": group, "words": ["ü", None] * (n * self.factor % 5)}


def run(item: NumbersStage, **choice: Any) -> list[str]:
    """Run the stage; the groups that this call made."""
    before = len(item.made)
    stage.run(item, RunPolicy(**choice))
    return item.made[before:]


def tree(folder: Path) -> dict[str, bytes]:
    """Every file's bytes by its path below the folder, but for lock files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and ".locks" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Run this file as a program, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, __file__, str(folder), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )


def wait_until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    """Poll until something holds; an assertion error when it never does."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def _kill_myself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_on_commit(where: str, group: str) -> None:
    commit = shard_writer.PartWriter.commit

    def dying_commit(part: shard_writer.PartWriter) -> None:
        is_shard = part.final.name == f"part-{group}.parquet" and part.final.parent.name not in ("notes", "failures")
        is_first_side = part.final.name == f"part-{group}.parquet" and part.final.parent.name == "notes"
        if (where == "shard" and is_shard) or (where == "sides" and is_first_side):
            _kill_myself()
        commit(part)
        if where == "done" and is_shard:
            _kill_myself()

    shard_writer.PartWriter.commit = dying_commit  # type: ignore[method-assign, assignment]


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--factor", type=int, default=3)
    parser.add_argument("--shard", default="0/1")
    parser.add_argument("--die-in", default="never:nothing")
    parser.add_argument("--hold", nargs=2, default=(None, None))
    options = parser.parse_args()
    where, _, victim = options.die_in.partition(":")
    held, gate = options.hold

    def at_row(group: str, row: int) -> None:
        if where == "writing" and group == victim and row >= 20:
            _kill_myself()
        if group == held and row >= 20:
            wait_until(lambda: not Path(gate).exists())

    if where in ("sides", "shard", "done"):
        _die_on_commit(where, victim)
    item = NumbersStage(options.folder, factor=options.factor, at_row=at_row)
    stage.run(item, RunPolicy(shard=stage.parse_shard(options.shard)))
    print(" ".join(item.made))


if __name__ == "__main__":
    _main()
