from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from data_manifests.errors import UsageError
from pipelines.engine.workers import Outcome, WorkerBug, run_killable

ROOT = Path(__file__).parents[3]

# Workers import their function by name, which they could not do from a test file.
TASKS = """
import os, signal, time
from pathlib import Path


class Unfit(Exception):
    def __init__(self, first, second):  # an exception that does not survive pickling
        super().__init__(f"{first} and {second}")


def reason_of(error):
    return "unfit" if isinstance(error, Unfit) else None


def work(task, heartbeat):
    heartbeat()
    kind, *rest = task.split(":")
    if kind == "pid":
        time.sleep(0.05)
        return os.getpid()
    if kind == "interrupt":
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        return "still here"
    if kind == "unfit":
        raise Unfit(*rest)
    if kind == "key":
        return {}["absent"]
    if kind == "wait":
        while not Path(rest[0]).exists():
            time.sleep(0.02)
        return rest[1].absent if rest[1:] else "waited"
    if kind == "exit":
        raise SystemExit(3)
    if kind == "memory":
        raise MemoryError("no room")
    if kind == "unpicklable":
        return lambda: None
    if kind == "hang":
        Path(rest[0]).write_text(str(os.getpid()))
        while True:
            time.sleep(1)
    if kind == "slow":
        for _ in range(20):
            time.sleep(0.1)
            heartbeat()
        return "slow but alive"
    if kind in ("segv", "kill", "_exit"):
        Path(rest[0]).open("a").write(f"{os.getpid()} {time.monotonic()}\\n")
        if kind == "_exit":
            os._exit(7)
        os.kill(os.getpid(), signal.SIGSEGV if kind == "segv" else signal.SIGKILL)
    if kind == "once":
        mark = Path(rest[0])
        if not mark.exists():
            mark.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return "second time lucky"
    if kind == "span":
        begin = time.monotonic()
        time.sleep(float(rest[0]))
        return begin, time.monotonic()
    return task


def heavy(task, heartbeat):
    return task
"""


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "jobs_of_workers.py").write_text(TASKS)
    monkeypatch.syspath_prepend(folder)
    import jobs_of_workers

    yield jobs_of_workers
    del sys.modules["jobs_of_workers"]


@pytest.fixture
def run(jobs: ModuleType) -> Callable[..., Iterator[Outcome]]:
    def start(tasks: list[str], workers: int = 2, timeout_s: float = 20.0) -> Iterator[Outcome]:
        return run_killable(
            jobs.work, list(enumerate(tasks)), workers=workers, timeout_s=timeout_s, reason_of=jobs.reason_of
        )

    return start


def by_id(outcomes: Iterator[Outcome]) -> dict[int, Outcome]:
    found = list(outcomes)
    assert len({outcome.task_id for outcome in found}) == len(found)
    return {outcome.task_id: outcome for outcome in found}


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        os.kill(pid, 0)
        # A zombie that nobody has collected yet is dead.
        return not stat.parent.parent.joinpath("self").exists() or stat.read_text().rsplit(")")[-1][1] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def is_gone(pid: int, within_s: float = 15.0) -> bool:
    limit = time.monotonic() + within_s
    while is_alive(pid) and time.monotonic() < limit:
        time.sleep(0.02)
    return not is_alive(pid)


def wait_for(path: Path, within_s: float = 30.0) -> str:
    limit = time.monotonic() + within_s
    while time.monotonic() < limit:
        if path.exists() and path.read_text():
            return path.read_text()
        time.sleep(0.02)
    raise AssertionError(f"{path} was not written")


def test_every_task_ends_in_one_outcome_from_another_process(run) -> None:
    outcomes = by_id(run(["a", "b", "pid", "c"]))
    assert {number: outcomes[number].value for number in (0, 1, 3)} == {0: "a", 1: "b", 3: "c"}
    assert all(outcome.reason is None and outcome.error is None for outcome in outcomes.values())
    assert outcomes[2].value != os.getpid()


def test_workers_are_reused_and_no_more_than_asked_for(run) -> None:
    pids = {outcome.value for outcome in run(["pid"] * 8, workers=2)}
    assert 1 <= len(pids) <= 2
    assert all(is_gone(pid) for pid in pids)


def test_no_task_starts_no_worker_and_one_task_starts_one(run) -> None:
    before = multiprocessing.active_children()
    assert list(run([], workers=4)) == []
    assert multiprocessing.active_children() == before
    outcomes = run(["pid"], workers=4)
    assert next(outcomes).reason is None
    assert len(multiprocessing.active_children()) == len(before) + 1
    assert list(outcomes) == []


def test_tasks_are_taken_only_as_workers_become_free(jobs: ModuleType) -> None:
    taken = []

    def tasks() -> Iterator[tuple[int, str]]:
        for number in range(6):
            taken.append(number)
            yield number, "x"

    outcomes = run_killable(jobs.work, tasks(), workers=1, timeout_s=20, reason_of=jobs.reason_of)
    next(outcomes)
    assert len(taken) == 1
    assert len(list(outcomes)) == 5


def test_an_exception_becomes_the_callers_reason_and_other_tasks_go_on(run) -> None:
    outcomes = by_id(run(["unfit:salt:sugar", "x"], workers=1))
    assert (outcomes[0].reason, outcomes[0].error) == ("unfit", "Unfit: salt and sugar")
    assert outcomes[1].value == "x"


@pytest.mark.parametrize(
    ("kind", "frame", "last"),
    [
        ("key", 'return {}["absent"]', "KeyError: 'absent'"),
        ("exit", "raise SystemExit(3)", "SystemExit: 3"),
        ("unpicklable", "pickle.dumps(value)", "pickle"),
    ],
)
def test_what_no_task_can_cause_ends_them_all_with_the_frames_of_the_worker(
    run, kind: str, frame: str, last: str
) -> None:
    before = multiprocessing.active_children()
    outcomes = run(["x", kind, *["never"] * 20], workers=1)
    assert next(outcomes).value == "x"
    with pytest.raises(WorkerBug, match=r"^task 1 met a mistake in the program, in a worker:\nTraceback") as caught:
        next(outcomes)
    assert frame in str(caught.value)
    assert last in str(caught.value).splitlines()[-1]
    assert multiprocessing.active_children() == before


def test_what_other_workers_had_done_by_then_comes_before_the_mistake_is_raised(run, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    outcomes = run(["x", f"wait:{gate}:then fail", f"wait:{gate}"], workers=3)
    assert next(outcomes).task_id == 0
    gate.touch()
    time.sleep(1)  # both end meanwhile, and are heard together
    assert next(outcomes) == Outcome(2, "waited", None, None)
    with pytest.raises(WorkerBug, match="task 1 "):
        next(outcomes)


def test_a_memory_error_is_out_of_memory_whatever_the_caller_says(run) -> None:
    (outcome,) = run(["memory"])
    assert (outcome.value, outcome.reason, outcome.error) == (None, "out_of_memory", "MemoryError: no room")


@pytest.mark.parametrize(
    ("kind", "cause"), [("segv", "signal SIGSEGV"), ("kill", "signal SIGKILL"), ("_exit", "exit code 7")]
)
def test_a_crash_is_tried_once_more_and_then_told_with_its_cause(run, tmp_path: Path, kind: str, cause: str) -> None:
    outcomes = by_id(run([f"{kind}:{tmp_path / 'tries'}", "x"], workers=1))
    assert outcomes[0].reason == "worker_killed"
    assert outcomes[0].error == f"the worker died ({cause}), and again when the task was tried alone ({cause})"
    tries = [line.split()[0] for line in (tmp_path / "tries").read_text().splitlines()]
    assert len(tries) == len(set(tries)) == 2
    assert outcomes[1].value == "x"


def test_a_task_that_crashed_once_may_succeed_alone(run, tmp_path: Path) -> None:
    before = len(multiprocessing.active_children())
    outcomes = {}
    for outcome in run([f"once:{tmp_path / 'mark'}", "pid", "pid"], workers=3):
        outcomes[outcome.task_id] = outcome
        if outcome.task_id == 0:
            # Not even an idle worker shares the memory with the second try.
            assert len(multiprocessing.active_children()) == before + 1
    assert outcomes[0] == Outcome(0, "second time lucky", None, None)
    assert outcomes.keys() == {0, 1, 2}


def test_a_crashed_task_is_tried_again_with_nothing_beside_it(run, tmp_path: Path) -> None:
    tries = [tmp_path / "first", tmp_path / "second"]
    tasks = [f"kill:{tries[0]}", f"kill:{tries[1]}", *["span:0.4"] * 4]
    outcomes = by_id(run(tasks, workers=3))
    again = sorted(float(path.read_text().splitlines()[1].split()[1]) for path in tries)
    ends = [outcomes[number].value[1] for number in range(2, 6)]
    assert max(ends) < again[0]


def test_a_worker_without_heartbeat_is_killed_and_the_others_go_on(run, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    outcomes = by_id(run([f"hang:{pid_file}", "a", "slow", "b"], workers=2, timeout_s=1.0))
    assert (outcomes[0].reason, outcomes[0].error) == ("timeout", "no heartbeat for 1 s; it was killed")
    assert is_gone(int(pid_file.read_text()))
    assert [outcomes[number].value for number in (1, 2, 3)] == ["a", "slow but alive", "b"]


def test_a_caller_who_was_away_longer_than_the_timeout_kills_no_healthy_worker(run) -> None:
    outcomes = run(["slow", *["span:0.3"] * 3, "x"], workers=2, timeout_s=0.6)
    # By the third answer of its neighbour the slow worker has been heard, so its clock runs.
    assert [next(outcomes).task_id for _ in range(3)] == [1, 2, 3]
    time.sleep(1.5)
    assert {outcome.task_id: outcome.value for outcome in outcomes} == {0: "slow but alive", 4: "x"}


def test_the_interrupt_key_is_left_to_the_parent(run) -> None:
    (outcome,) = run(["interrupt"])
    assert outcome == Outcome(0, "still here", None, None)


def test_closing_the_iterator_ends_the_workers(run, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    outcomes = run(["x", f"hang:{pid_file}"], workers=2)
    next(outcomes)
    pid = int(wait_for(pid_file))
    outcomes.close()
    assert is_gone(pid, within_s=0.5)


def test_an_error_in_the_callers_tasks_ends_the_workers(jobs: ModuleType, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    def tasks() -> Iterator[tuple[int, str]]:
        yield 0, f"hang:{pid_file}"
        wait_for(pid_file)
        raise OSError("the list broke off")

    with pytest.raises(OSError, match="the list broke off"):
        list(run_killable(jobs.work, tasks(), workers=2, timeout_s=20, reason_of=jobs.reason_of))
    assert is_gone(int(pid_file.read_text()), within_s=0.5)


def test_workers_end_with_a_parent_that_is_killed(jobs: ModuleType, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent(f"""
        import sys
        sys.path[:0] = [{str(Path(jobs.__file__).parent)!r}, {str(ROOT)!r}]
        import jobs_of_workers as jobs
        from pipelines.engine.workers import run_killable

        if __name__ == "__main__":
            tasks = [(0, "hang:{pid_file}")]
            list(run_killable(jobs.work, tasks, workers=1, timeout_s=600, reason_of=jobs.reason_of))
        """)
    )
    parent = subprocess.Popen([sys.executable, str(script)])
    try:
        pid = int(wait_for(pid_file))
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert is_gone(pid)


def test_a_script_without_a_guard_runs_once(jobs: ModuleType, tmp_path: Path) -> None:
    script = tmp_path / "plain.py"
    script.write_text(
        textwrap.dedent(f"""
        import sys
        sys.path[:0] = [{str(Path(jobs.__file__).parent)!r}, {str(ROOT)!r}]
        import jobs_of_workers as jobs
        from pipelines.engine.workers import run_killable
        print(*run_killable(jobs.work, [(0, "x")], workers=1, timeout_s=60, reason_of=jobs.reason_of))
        """)
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("Outcome(task_id=0, value='x', reason=None, error=None)\n", "")


def test_a_function_that_workers_can_not_import_is_told_with_its_traceback(jobs: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "code" / "jobs_of_workers.py").write_text("raise ImportError('library missing')")
    outcomes = run_killable(jobs.heavy, [(0, "x")], workers=1, timeout_s=20, reason_of=jobs.reason_of)
    with pytest.raises(WorkerBug, match=r"cannot import what it is to run:\n(?s:.*)library missing"):
        list(outcomes)


def test_a_pool_without_workers_or_time_is_refused(jobs: ModuleType) -> None:
    with pytest.raises(UsageError, match="0 worker processes: expected 1 or more"):
        run_killable(jobs.work, [], workers=0, timeout_s=1, reason_of=jobs.reason_of)
    with pytest.raises(UsageError, match="timeout of 0 s: expected more than 0"):
        run_killable(jobs.work, [], workers=1, timeout_s=0, reason_of=jobs.reason_of)
