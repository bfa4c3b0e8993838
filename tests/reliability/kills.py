"""Kill every stage at every rename, fsync and unlink and at random instants, and compare what the next run makes.

After a kill the same command runs again. Then every file must be what an uninterrupted run writes, no other file may
be there, and no process of the killed one may live. All inputs are made here.

    python -m tests.reliability.kills --kills 500 --seed 0
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.reliability import children, page
from tests.reliability.chain_states import ChainStates, Stage, contents, differences
from tests.reliability.children import Child

AT_CALLS = ("SIGKILL before a call", "SIGKILL after a call", "SIGTERM at a call", "SIGINT at a call")
AT_INSTANTS = ("SIGKILL at an instant", "SIGTERM at an instant", "the group at an instant")
WORKER = "a worker"
TWICE = "twice"
HOWS = (*AT_CALLS, *AT_INSTANTS, WORKER, TWICE)
_WITH_WORKERS = ("decode", "predict")
_STOPPED = 130


@dataclass(frozen=True)
class Kill:
    """One kill: of which stage, how, and when (a share of its calls or of its time)."""

    stage: str
    how: str
    at: float


@dataclass
class Outcome:
    """Numbers of kills that hit, by stage and kind, and what was wrong after them."""

    hits: collections.Counter[tuple[str, str]] = field(default_factory=collections.Counter)
    missed: int = 0
    wrong: list[str] = field(default_factory=list)


def make(states: ChainStates, kills: Iterable[Kill], end: float, say: Callable[[str], None]) -> Outcome:
    """Make kills, each of them in a fresh copy of the folder, until a time of ``time.monotonic()``."""
    outcome = Outcome()
    for number, kill in enumerate(kills):
        if time.monotonic() > end:
            break
        if number % 20 == 0:
            say(f"{number} kills; now {kill.stage}, {kill.how}")
        states.restore(states.stages[kill.stage].before)
        problems, hit = _killed(states, kill)
        if hit:
            outcome.hits[kill.stage, kill.how] += 1
        else:
            outcome.missed += 1
        problems += _finish(states, kill.stage)
        if problems:
            kept = states.set_aside(len(outcome.wrong))
            outcome.wrong.append(f"{kill.stage}, {kill.how} ({kill.at:.4f}): {'; '.join(problems)}")
            say(f"{outcome.wrong[-1]} [{kept}]")
    return outcome


def _killed(states: ChainStates, kill: Kill) -> tuple[list[str], bool]:
    """Kill once or twice; return what was wrong at once, and whether the kill hit."""
    stage = states.stages[kill.stage]
    if kill.how == TWICE:
        first, hit = _killed(states, Kill(kill.stage, AT_CALLS[0], kill.at))
        again, _ = _killed(states, Kill(kill.stage, AT_CALLS[0], kill.at * kill.at))
        return first + again, hit
    sent = True
    if kill.how in AT_CALLS:
        child = children.start(stage.run, states.said, lambda: _die_at(kill.how, int(kill.at * stage.calls)))
    else:
        child = children.start(stage.run, states.said)
        sent = _kill_at_instant(child, kill, stage.seconds)
    code = child.wait()
    problems = [f"process {pid} lives on" for pid in child.survivors()]
    allowed = {0} if kill.how == WORKER else {0, -signal.SIGKILL, _STOPPED}
    if code not in allowed and not _written_before(states, kill.stage, code):
        problems.append(f"exit code {code} at the kill: {states.last_line}")
    # A signal may be answered by ending in good order, and a worker's death by doing its task again.
    return problems, sent and (code != 0 or kill.how in (WORKER, AT_CALLS[2], AT_CALLS[3]))


def _finish(states: ChainStates, name: str) -> list[str]:
    stage = states.stages[name]
    code = states.run(stage.run)
    if code != 0 and not _written_before(states, name, code):
        return [f"exit code {code} of the run after it: {states.last_line}"]
    return differences(contents(states.world.folder), stage.after)


def _written_before(states: ChainStates, name: str, code: int) -> bool:
    """Tell a second export, which refuses to overwrite the first, from an error."""
    return name == "export" and code == 2 and states.world.exported.is_dir()


def _die_at(how: str, chosen: int) -> None:
    number = {"SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}.get(how.split()[0], signal.SIGKILL)

    def die(call_number: int) -> None:
        if call_number == chosen:
            os.kill(os.getpid(), number)

    def live_on(call_number: int) -> None:
        pass

    children.on_calls(*((live_on, die) if "after" in how else (die, live_on)))


def _kill_at_instant(child: Child, kill: Kill, seconds: float) -> bool:
    """Kill at a share of the time that the stage takes; return False where there is no worker to kill."""
    end = time.monotonic() + kill.at * seconds
    while kill.how == WORKER and not child.workers() and child.runs():
        time.sleep(0.005)
    time.sleep(kill.at if kill.how == WORKER else max(0.0, end - time.monotonic()))
    with contextlib.suppress(ProcessLookupError):
        if kill.how == WORKER:
            workers = child.workers()
            if workers:
                os.kill(workers[0], signal.SIGKILL)
            return bool(workers)
        if kill.how == "the group at an instant":
            os.killpg(child.pid, signal.SIGKILL)
        else:
            os.kill(child.pid, signal.SIGTERM if "SIGTERM" in kill.how else signal.SIGKILL)
    return True


def chosen_kills(stages: Mapping[str, Stage], kills: int, seed: int) -> Iterator[Kill]:
    """Choose kills by seed: every system call of every stage once, as far as they go, and of all other kinds.

    At least a fifth is of other kinds.
    """
    rng = random.Random(seed)
    calls = [
        Kill(name, AT_CALLS[0], (number + 0.5) / stage.calls)
        for name, stage in stages.items()
        for number in range(stage.calls)
    ]
    rng.shuffle(calls)
    calls = calls[: kills * 4 // 5]
    others = []
    for number in range(kills - len(calls)):
        how = HOWS[1:][number % len(HOWS[1:])]
        of = [name for name in stages if how != WORKER or name in _WITH_WORKERS]
        if of:
            others.append(Kill(rng.choice(of), how, rng.random()))
    yield from sorted(calls + others, key=lambda kill: rng.random())


_ABOUT = (
    "Each stage of a small chain is killed, and then the same command runs again. After it every file must have the "
    "bytes that an uninterrupted run writes. No other file may be there, and no process of the killed command may "
    "live on.",
    "The kills come at system calls: before or after a rename, fsync, unlink, rmdir or symlink, by SIGKILL, SIGTERM or "
    "SIGINT. They come at random instants too, to the process or its whole group, and twice in a row. Or they hit a "
    "worker that decodes; then the command itself must end well. “Calls” are those of one uninterrupted run; a full "
    "run kills each of them by SIGKILL.",
)


def found(outcome: Outcome, stages: Mapping[str, Stage], command: str) -> page.Found:
    """Write the counts for the page."""
    rows: list[list[object]] = []
    for name, stage in stages.items():
        of = [sum(outcome.hits[name, how] for how in kinds) for kinds in (AT_CALLS, AT_INSTANTS, (WORKER,), (TWICE,))]
        rows.append([name, stage.calls, *of, sum(of)])
    rows.append(["all", *(sum(row[column] for row in rows) for column in range(1, 7))])  # type: ignore[misc]
    head = ["stage", "calls", "at a call", "at an instant", "a worker", "twice", "kills"]
    summary = (
        f"{rows[-1][-1]} kills, and {outcome.missed} more that came after the end; wrong after {len(outcome.wrong)}."
    )
    return page.Found("Kills", _ABOUT, command, summary, head, rows, outcome.wrong)


def main() -> None:
    """Run the kills and print their counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", default=[], help="a stage; may be repeated")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after this time")
    parser.add_argument("--write", action="store_true", help="keep the counts, and write docs/reliability.md")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kills-"))
    states = ChainStates(folder, given.only)
    for name, stage in states.stages.items():
        print(f"{name:14} {stage.calls:4} calls {stage.seconds:6.2f} s", flush=True)
    begun = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - begun:5.0f} s  {text}", flush=True)

    kills = chosen_kills(states.stages, given.kills, given.seed)
    outcome = make(states, kills, begun + 60 * given.minutes, say)
    result = found(
        outcome, states.stages, f"python -m tests.reliability.kills --kills {given.kills} --seed {given.seed}"
    )
    print("\n".join(result.lines))
    if given.write:
        page.record("kills", result)
    if outcome.wrong:
        sys.exit(f"{len(outcome.wrong)} kills left something wrong; see {folder}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
