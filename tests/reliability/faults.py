"""Run the stages of a small chain on machines that fail: full disks, foreign locks, wrong clocks, dying workers.

All inputs are made here. What a machine cannot do (mount a disk, become another user) is skipped, with the reason.

    python -m tests.reliability.faults
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from pipelines.engine import locks
from tests.ended_process import ended_process
from tests.reliability import children, page
from tests.reliability.chain_states import ChainStates, contents, differences
from tests.reliability.small_world import call

_NOBODY = 65534
_DAY_S = 86400.0
_REFUSED = 3
_TOO_MANY_FAILED = 4


class Skipped(Exception):
    """Raised where the machine cannot do a fault; the text is the reason."""


@dataclass
class Outcome:
    """Numbers of tries by fault, what was wrong, and what was skipped."""

    tried: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


Tries = Iterator[tuple[str, str]]
"""What was tried, and what was wrong about it (nothing: '')."""


def _end(states: ChainStates, name: str, code: int, expected: int = 0) -> str:
    """Compare the end of a stage, and what it left, with an uninterrupted run."""
    if code != expected:
        return f"exit code {code}, not {expected}: {states.last_line}"
    return "; ".join(differences(contents(states.world.folder), states.stages[name].after)[:4])


def _refused(states: ChainStates, code: int, *words: str) -> str:
    """Check that a command ended in one error line that says these words."""
    said = states.said.read_text(errors="replace")
    if code != _REFUSED or "Traceback" in said:
        return f"exit code {code}: {states.last_line}"
    missing = [word for word in words if word not in said]
    return f"the error lacks {missing}: {states.last_line}" if missing else ""


def full_disk(states: ChainStates) -> Tries:
    """Give each stage a disk of its own that is full before it ends, and then room."""
    folder = states.world.folder
    for name, stage in states.stages.items():
        if name == "gc":  # it only frees
            continue
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        with _disk(folder):
            shutil.copytree(stage.before, folder, symlinks=True, dirs_exist_ok=True)
            for room in (0, 12 << 10):
                _fill(folder / "filler", room)
                code = states.run(stage.run)
                yield f"{name}, {room} bytes left", "" if code == 0 else _refused(states, code, "no space left")
                (folder / "filler").unlink()
            again = states.run(stage.run)
            if name == "export" and code == 0:  # there was room enough, and nothing is overwritten
                again = 0 if again == 2 else again
            yield f"{name}, with room again", _end(states, name, again)


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[None]:
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)], check=True, capture_output=True, text=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise Skipped(f"no disk can be mounted ({error})") from None
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _fill(filler: Path, room: int) -> None:
    """Fill a disk but for some bytes."""
    size = shutil.disk_usage(filler.parent).free - room
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


def read_only(states: ChainStates) -> Tries:
    """Run each stage as a user who may not write: what is done is done, and what is not says what it may not."""
    if os.getuid() != 0:
        raise Skipped("only root can become another user")
    states.folder.chmod(0o755)
    names = list(states.stages)
    for name, after in zip(names, names[1:], strict=False):
        stage = states.stages[name]
        states.restore(stage.before)
        code = states.run(stage.run, _become_nobody)
        yield f"{name}, to do", _refused(states, code, "no permission")
        states.restore(states.stages[after].before)
        code = states.run(stage.run, _become_nobody)
        if name in ("report", "export", "predict"):  # these write at each call
            yield f"{name}, done", "" if code == 2 and name == "export" else _refused(states, code, "no permission")
        else:
            yield f"{name}, done", f"exit code {code}: {states.last_line}" if code else ""


def _become_nobody() -> None:
    os.setgroups([])
    os.setgid(_NOBODY)
    os.setuid(_NOBODY)


def two_at_once(states: ChainStates) -> Tries:
    """Start the same command twice at the same time."""
    for name, stage in states.stages.items():
        states.restore(stage.before)
        other = states.folder / "said-2.txt"
        both = [children.start(stage.run, said) for said in (states.said, other)]
        codes = [child.wait() for child in both]
        allowed = {0, 2} if name == "export" else {0}
        wrong = [code for code in codes if code not in allowed]
        told = f"exit codes {codes}: {states.last_line}; {other.read_text(errors='replace')[-300:]}"
        yield name, told if wrong or codes == [2, 2] else _end(states, name, 0)


def foreign_locks(states: ChainStates) -> Tries:
    """Let others hold, or have held, the lock of what a stage wants to write."""
    world, here = states.world, os.uname().nodename
    stage = states.stages["embed text"]
    line = world.stages["embed text"]
    then = states.stages["train"].before
    made = next(then.glob("work/text/*/*/noun*.parquet")).relative_to(then)
    file = world.folder / made.parent / ".locks" / f"{made.name}.lock"
    cases: Sequence[tuple[str, str, int, float, bool, int]] = (
        ("of a dead process of this host", here, ended_process(), 0, False, 0),
        ("of another host, fresh", "elsewhere", 4711, 0, False, _REFUSED),
        ("of another host, fresh, with --break-lock", "elsewhere", 4711, 0, True, 0),
        ("of another host, old", "elsewhere", 4711, -2 * locks.LEASE_S, False, 0),
        ("of another host, its clock a day ahead", "elsewhere", 4711, _DAY_S, False, _REFUSED),
        ("the same, with --break-lock", "elsewhere", 4711, _DAY_S, True, 0),
        ("of another host, its clock a day back", "elsewhere", 4711, -_DAY_S, False, 0),
    )
    for what, host, pid, ahead_s, broken, expected in cases:
        states.restore(stage.before)
        _lease(file, host, pid, ahead_s)
        code = states.run(call([*line, "--break-lock"] if broken else line))
        if expected:
            yield what, _refused(states, code, str(file), "elsewhere", "--break-lock")
        else:
            yield what, _end(states, "embed text", code)
    for ahead_s in (0.0, _DAY_S):  # a training waits, and takes over what nobody touches
        stage = states.stages["train"]
        states.restore(stage.before)
        run = next(states.stages["evaluate"].before.glob("work/runs/xmic*")).name
        _lease(world.work / "runs" / run / ".locks" / "noun.lock", "elsewhere", 4711, ahead_s)
        code = states.run(stage.run, lambda: setattr(locks, "LEASE_S", 1.0))
        yield f"a training's, its clock {ahead_s:.0f} s ahead", _end(states, "train", code)


def _lease(file: Path, host: str, pid: int, ahead_s: float) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"host": host, "pid": pid}))
    then = time.time() + ahead_s
    os.utime(file, (then, then))


def wrong_clocks(states: ChainStates) -> Tries:
    """Date all files in the future or in 1970, and run the stage that comes next."""
    for name, stage in states.stages.items():
        for what, seconds in (("a day ahead", time.time() + _DAY_S), ("in 1970", 1.0)):
            states.restore(stage.before)
            for path in states.world.folder.rglob("*"):
                if not path.is_symlink():
                    os.utime(path, (seconds, seconds))
            yield f"{name}, files {what}", _end(states, name, states.run(stage.run))


def moved_workspace(states: ChainStates) -> Tries:
    """Move the workspace before each stage."""
    moved, work = states.world.folder / "moved", states.world.work
    for name, line in states.world.stages.items():
        states.restore(states.stages[name].before)
        if not work.is_dir():
            continue
        work.rename(moved)
        code = states.run(call([str(moved) if word == str(work) else word for word in line]))
        if moved.is_dir():
            moved.rename(work)
        yield name, _end(states, name, code)


def dying_workers(states: ChainStates) -> Tries:
    """Stop, crash and kill a worker that decodes; the kernel kills like that where memory is short."""
    line = (*states.world.stages["decode"], "--video-timeout", "20")
    for number in (signal.SIGSTOP, signal.SIGSEGV, signal.SIGBUS, signal.SIGKILL):
        for after_s in (0.0, 0.3, 0.6):
            states.restore(states.stages["decode"].before)
            child = children.start(call(line), states.said)
            workers = child.workers()
            while child.runs() and not workers:
                time.sleep(0.005)
                workers = child.workers()
            time.sleep(after_s)
            with contextlib.suppress(ProcessLookupError, IndexError):  # all of them are over
                os.kill(workers[0], number)
            code = child.wait()
            if code == _TOO_MANY_FAILED and number == signal.SIGSTOP:
                # The video that the stopped worker had is a failure row by its timeout, to be tried again.
                code = states.run(call((*line, "--retry-failed")))
            yield f"{number.name} after {after_s} s", _end(states, "decode", code)


FAULTS: Mapping[str, Callable[[ChainStates], Tries]] = {
    "a full disk": full_disk,
    "a user who may not write": read_only,
    "the same command twice at once": two_at_once,
    "locks of others": foreign_locks,
    "files dated wrongly": wrong_clocks,
    "a moved workspace": moved_workspace,
    "workers that stop or die": dying_workers,
}


def run(states: ChainStates, only: str, say: Callable[[str], None]) -> Outcome:
    """Try every fault."""
    outcome = Outcome()
    for name, fault in FAULTS.items():
        if only not in name:
            continue
        outcome.tried[name] = 0
        try:
            for what, problem in fault(states):
                outcome.tried[name] += 1
                if problem:
                    outcome.wrong.append(f"{name}: {what}: {problem}")
                    say(outcome.wrong[-1])
        except Skipped as reason:
            outcome.skipped[name] = str(reason)
        why = outcome.skipped.get(name)
        say(f"{name}: {outcome.tried[name]} tried" + (f", then skipped: {why}" if why else ""))
    return outcome


_ABOUT = (
    "Each stage of a small chain runs where something fails. Then it must end well, with the bytes of an undisturbed "
    "run, or in one error that names the place and what to do. After the cause is gone, the same command must go on "
    "to the same bytes.",
)


def found(outcome: Outcome, command: str) -> page.Found:
    """Write the counts for the page."""
    rows = []
    for name, tried in outcome.tried.items():
        wrong = sum(line.startswith(f"{name}: ") for line in outcome.wrong)
        rows.append([name, tried, wrong, outcome.skipped.get(name, "")])
    summary = f"{sum(outcome.tried.values())} tries; {len(outcome.wrong)} went wrong."
    return page.Found("Faults", _ABOUT, command, summary, ["fault", "tries", "wrong", "skipped"], rows, outcome.wrong)


def main() -> None:
    """Try the faults and print their counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="part of the name of a fault")
    parser.add_argument("--write", action="store_true", help="keep the counts, and write docs/reliability.md")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    states, begun = ChainStates(folder), time.monotonic()
    outcome = run(states, given.only, lambda text: print(f"{time.monotonic() - begun:5.0f} s  {text}", flush=True))
    result = found(outcome, "python -m tests.reliability.faults")
    print("\n".join(result.lines))
    if given.write:
        page.record("faults", result)
    if outcome.wrong:
        sys.exit(f"{len(outcome.wrong)} tries went wrong; see {folder}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
