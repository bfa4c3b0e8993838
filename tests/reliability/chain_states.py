"""Run every stage of a small chain once, and keep the folder as it was before and after each."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.ended_process import ended_process
from tests.reliability import children
from tests.reliability.small_world import SmallWorld, call

# Facts about files by their time of change, which a stopped command may leave out or repeat.
_REMEMBERED = ("file-digests.jsonl", "probes.jsonl")


@dataclass(frozen=True)
class Stage:
    """A stage that ran once.

    Attributes:
        run: runs it again.
        before: copy of the folder before it.
        after: contents of the folder after it.
        calls: number of its system calls.
        seconds: that it took.
    """

    run: Callable[[], int]
    before: Path
    after: Mapping[str, str]
    calls: int
    seconds: float


def contents(folder: Path) -> dict[str, str]:
    """Return the digest of every file below a folder, the target of every link, and the empty folders."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"link to {path.readlink()}"
        elif path.is_dir():
            if path.name != ".locks" and not any(path.iterdir()):
                found[name] = "empty folder"
        elif ".locks" not in path.parts and path.name not in _REMEMBERED:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def differences(found: Mapping[str, str], expected: Mapping[str, str]) -> list[str]:
    """Say which files are missing, too many or changed."""
    lines = [f"{name} is missing" for name in expected.keys() - found.keys()]
    lines += [f"{name} is left over" for name in found.keys() - expected.keys()]
    lines += [f"{name} has other bytes" for name in found.keys() & expected.keys() if found[name] != expected[name]]
    return sorted(lines)


class ChainStates:
    """A folder to work in, and the states of a chain that ran in it once.

    Args:
        folder: where all of it lies.
        only: the stages that are measured; all of them without any.
    """

    def __init__(self, folder: Path, only: Sequence[str] = ()) -> None:
        self.folder, self.world = folder, SmallWorld(folder / "place")
        self.said, self._inputs = folder / "said.txt", folder / "inputs"
        self.world.draw()
        self.world.inputs.rename(self._inputs)
        self.world.inputs.symlink_to(self._inputs)
        self.stages: dict[str, Stage] = {}
        self.before: dict[str, Path] = {}
        for number, (name, line) in enumerate(self.world.stages.items()):
            if name == "gc":
                self._leave_things()
            self.before[name] = self.keep(f"{number}-before-{name}")
            self._learn(call(line))
            if not only or name in only:
                self.stages[name] = self._measured(name, call(line), contents(self.world.folder))

    def keep(self, name: str) -> Path:
        """Keep a copy of the folder under a name."""
        shutil.copytree(self.world.folder, self.folder / "states" / name, symlinks=True)
        return self.folder / "states" / name

    def restore(self, kept: Path) -> None:
        """Put a copy of the folder back, with the times of its files."""
        shutil.rmtree(self.world.folder, ignore_errors=True)
        shutil.copytree(kept, self.world.folder, symlinks=True)

    def run(self, run: Callable[[], int], prepare: Callable[[], None] = lambda: None) -> int:
        """Run a function in a child; return its exit code, or minus its signal."""
        return children.start(run, self.said, prepare).wait()

    @property
    def last_line(self) -> str:
        """What the last child said last."""
        lines = [line for line in self.said.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1] if lines else "(nothing said)"

    def set_aside(self, problems: int) -> Path:
        """Keep the folder and what was said, for a person to look at."""
        kept = self.folder / f"kept-{problems}"
        shutil.move(self.world.folder, kept)
        shutil.copy(self.said, kept / "said.txt")
        return kept

    def _measured(self, name: str, run: Callable[[], int], first: Mapping[str, str]) -> Stage:
        counted = self.folder / "counted"
        counted.write_text("0")
        self.restore(self.before[name])
        begun = time.monotonic()
        code = self.run(run, lambda: children.on_calls(lambda number: None, _note_in(counted)))
        seconds, after = time.monotonic() - begun, contents(self.world.folder)
        if code or after != first:
            found = "; ".join(differences(after, first)[:5])
            raise RuntimeError(f"{name}: two uninterrupted runs differ (exit code {code}): {found}")
        return Stage(run, self.before[name], after, int(counted.read_text()), seconds)

    def _learn(self, run: Callable[[], int]) -> None:
        """Run a stage, and import here what it imported, so that the next child need not."""
        names = self.folder / "modules.txt"

        def learning() -> int:
            code = run()
            names.write_text("\n".join(sys.modules))
            return code

        code = self.run(learning)
        if code:
            raise RuntimeError(f"exit code {code}: {self.said.read_text()[-2000:]}")
        for name in names.read_text().split():
            with contextlib.suppress(Exception):
                importlib.import_module(name)

    def _leave_things(self) -> None:
        """Leave what a killed decode and a damaged shard leave, for gc to remove."""
        left = self.world.work / "tmp" / f"decode-{os.uname().nodename}-{ended_process()}"
        left.mkdir(parents=True)
        (left / "half.arrow").write_bytes(b"half")
        shard = next(self.world.work.glob("embeddings/**/part-*.parquet"))
        shutil.copy(shard, shard.with_name(shard.name + ".damaged"))


def _note_in(counted: Path) -> Callable[[int], None]:
    def note(number: int) -> None:
        counted.write_text(str(number + 1))

    return note
