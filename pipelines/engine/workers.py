"""Run tasks in worker processes that may hang or crash.

Native code that reads damaged files can loop for ever or crash its process, and no exception handler helps. So tasks
run in worker processes: a worker without a heartbeat is killed, and one that dies is replaced. The task of a dead
worker is tried once more, alone, before it is given up.

An error that a task's data can cause is the outcome of that task. An error that only a mistake in the program can cause
would come again with every task, so the first one ends the run.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import ModuleType
from typing import Any

from data_manifests.errors import UsageError


class WorkerBug(RuntimeError):
    """Error from a mistake in the worker's program, not from its task.

    The text has the worker's traceback.
    """


# Importing a function may mean importing a whole deep learning library from a cold disk.
_START_LIMIT_S = 120.0
_GOODBYE_S = 2.0


@dataclass(frozen=True)
class Outcome:
    """Result or failure of one task.

    Attributes:
        task_id: The caller's name for the task.
        value: Return value of the function; None after a failure.
        reason: None after a success; else ``timeout``, ``worker_killed``, ``out_of_memory`` or the code that
            ``reason_of`` gave for the exception.
        error: The failure in words; None after a success.
    """

    task_id: Any
    value: Any | None
    reason: str | None
    error: str | None


def _ignore(said: Any) -> None:
    """Hear nothing."""


def run_killable(
    function: Callable[[Any, Callable[..., None]], Any],
    tasks: Iterable[tuple[Any, Any]],
    *,
    workers: int,
    timeout_s: float,
    reason_of: Callable[[BaseException], str | None],
    hear: Callable[[Any], None] = _ignore,
) -> Iterator[Outcome]:
    """Call ``function(task, heartbeat)`` for each task in worker processes.

    Workers are spawned, not forked, only when there is a task for them, and reused. They ignore the interrupt key,
    which the caller handles, and end with the parent process. Closing the iterator kills them. Tasks are taken from the
    iterable only as workers become free.

    Args:
        function: Importable by name, from a module and not from the running script. It must call ``heartbeat()``
            repeatedly, in the thread it runs in. Its return values should be small: write bulk to files.
        tasks: Pairs of (task id, task); a task must pickle.
        workers: Number of worker processes at the same time, at least 1.
        timeout_s: Seconds without a heartbeat after which a worker is killed.
        reason_of: Importable by name. The worker calls it with the exception that left the function, for the reason
            code of the outcome. None means that no task can cause the exception. It is not called for a MemoryError.
        hear: Called in this process with what a function says by ``heartbeat(something)``.

    Yields:
        One outcome per task, in the order they end. A task whose worker died is tried once more, after all other
        tasks, in a fresh worker with no other one running.

    Raises:
        UsageError: Fewer than 1 worker, or a timeout that is not positive.
        WorkerBug: The function cannot be imported in a worker, or ``reason_of`` gave None for its exception. Outcomes
            that are known by then are yielded first.
    """
    if workers < 1:
        raise UsageError(f"{workers} worker processes: expected 1 or more, tasks never run in this process")
    if not timeout_s > 0:
        raise UsageError(f"timeout of {timeout_s} s: expected more than 0")
    return _outcomes(_Code(pickle.dumps((function, reason_of)), timeout_s, hear), iter(tasks), workers)


@dataclass(frozen=True)
class _Code:
    """What workers run: the pickled functions, the limit between heartbeats, and who hears what they say."""

    pickled: bytes
    timeout_s: float
    hear: Callable[[Any], None]


@dataclass(frozen=True)
class _Death:
    """The death of a worker during a task; ``how`` is the cause in words."""

    task_id: Any
    task: Any
    how: str


class _Worker:
    """A worker process and its current task."""

    def __init__(self, code: _Code) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.busy = False
        self._timeout_s, self._hear = code.timeout_s, code.hear
        self._started = False
        self._process: SpawnProcess = context.Process(
            target=_serve, args=(theirs, code.pickled, min(code.timeout_s / 10, 1.0)), daemon=True
        )
        with _interrupts_held(), _main_hidden():
            self._process.start()
        # As long as the parent held this end too, the death of the worker would not close the pipe.
        theirs.close()

    @property
    def idle(self) -> bool:
        return not self.busy and self._process.is_alive()

    @property
    def seconds_left(self) -> float:
        """Seconds until the worker's heartbeat is overdue."""
        return self._limit_s - (time.monotonic() - self._heard_at)

    @property
    def _limit_s(self) -> float:
        return self._timeout_s if self._started else max(self._timeout_s, _START_LIMIT_S)

    def give(self, task_id: Any, task: Any) -> None:
        self._task_id, self._task = task_id, task
        self._heard_at = time.monotonic()
        self.busy = True
        # A worker that dies right now is found dead by the next listen().
        with suppress(BrokenPipeError, ConnectionResetError):
            self.pipe.send((task,))

    def listen(self) -> Outcome | _Death | WorkerBug | None:
        """Receive all waiting messages of the worker; None while its task goes on."""
        try:
            while self.pipe.poll():
                kind, *rest = self.pipe.recv()
                self._heard_at, self._started = time.monotonic(), True
                if kind == "said":
                    self._hear(rest[0])
                if kind == "broken":
                    return WorkerBug(f"a worker process cannot import what it is to run:\n{rest[0]}")
                if kind == "bug":
                    return WorkerBug(f"task {self._task_id!r} met a mistake in the program, in a worker:\n{rest[0]}")
                if kind == "ended":
                    self.busy = False
                    return Outcome(self._task_id, *rest)
        except (EOFError, OSError):
            self._process.join(_GOODBYE_S)
            self.kill()
            return _Death(self._task_id, self._task, _cause(self._process.exitcode))
        if self.seconds_left > 0:
            return None
        what = "no heartbeat" if self._started else "the worker did not start"
        self.kill()
        return Outcome(self._task_id, None, "timeout", f"{what} for {self._limit_s:g} s; it was killed")

    def dismiss(self) -> None:
        """Ask an idle worker to end; :meth:`kill` waits for it."""
        if self.idle:
            with suppress(BrokenPipeError, ConnectionResetError):
                self.pipe.send(())

    def kill(self, patience_s: float = 0.0) -> None:
        if patience_s:
            self._process.join(patience_s)
        self._process.kill()
        self._process.join()
        self.pipe.close()
        self.busy = False


def _outcomes(code: _Code, tasks: Iterator[tuple[Any, Any]], workers: int) -> Iterator[Outcome]:
    pool: list[_Worker] = []
    deaths: list[_Death] = []
    try:
        more = True
        while True:
            pool = [worker for worker in pool if worker.busy or worker.idle]
            while more and sum(worker.busy for worker in pool) < workers:
                more = _give_next(tasks, pool, code)
            if not any(worker.busy for worker in pool):
                break
            for said in _listen(pool):
                if isinstance(said, _Death):
                    deaths.append(said)
                else:
                    yield said
        _dismiss(pool)
        for death in deaths:
            pool = [_Worker(code)]
            pool[0].give(death.task_id, death.task)
            while pool[0].busy:
                for said in _listen(pool):
                    yield _second_death(death, said) if isinstance(said, _Death) else said
            _dismiss(pool)
    finally:
        for worker in pool:
            worker.kill()


def _give_next(tasks: Iterator[tuple[Any, Any]], pool: list[_Worker], code: _Code) -> bool:
    try:
        task_id, task = next(tasks)
    except StopIteration:
        return False
    worker = next((worker for worker in pool if worker.idle), None)
    if worker is None:
        worker = _Worker(code)
        pool.append(worker)
    worker.give(task_id, task)
    return True


def _listen(pool: list[_Worker]) -> Iterator[Outcome | _Death]:
    """Wait until a busy worker sends a message, dies or runs out of time.

    Raises:
        WorkerBug: A worker met a mistake in the program; the outcomes of the others are yielded first.
    """
    busy = [worker for worker in pool if worker.busy]
    wait([worker.pipe for worker in busy], max(0.0, min(worker.seconds_left for worker in busy)))
    # All messages are received before any worker is judged: heartbeats may have piled up while the caller was busy.
    said = [worker.listen() for worker in busy]
    yield from (each for each in said if isinstance(each, Outcome | _Death))
    bug = next((each for each in said if isinstance(each, WorkerBug)), None)
    if bug is not None:
        raise bug


def _dismiss(pool: list[_Worker]) -> None:
    for worker in pool:
        worker.dismiss()
    while pool:
        pool.pop().kill(patience_s=_GOODBYE_S)


def _second_death(first: _Death, second: _Death) -> Outcome:
    error = f"the worker died ({first.how}), and again when the task was tried alone ({second.how})"
    return Outcome(first.task_id, None, "worker_killed", error)


def _cause(exit_code: int | None) -> str:
    if exit_code is None:
        return "it closed its pipe"
    if exit_code >= 0:
        return f"exit code {exit_code}"
    known = {each.value: each.name for each in signal.Signals}
    return f"signal {known.get(-exit_code, -exit_code)}"


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Block the interrupt key while a child starts: the child cannot ignore it before its Python is up."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _main_hidden() -> Iterator[None]:
    """Hide the caller's script from a spawned process.

    The process would first run the script's top level. Workers have no use for it, and a script of five lines without a
    guard would start itself over and over.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _serve(pipe: Connection, code: bytes, beat_s: float) -> None:
    """Run a worker process: report ready, then run tasks until asked to end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        function, reason_of = pickle.loads(code)
    except Exception:
        pipe.send(("broken", traceback.format_exc()))
        return
    beat_at = time.monotonic()
    pipe.send(("ready",))

    def heartbeat(said: Any = None) -> None:
        nonlocal beat_at
        if said is not None:
            pipe.send(("said", said))
            beat_at = time.monotonic()
        elif time.monotonic() - beat_at >= beat_s:
            pipe.send(("alive",))
            beat_at = time.monotonic()

    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while message := pipe.recv():
            pipe.send(_run(function, reason_of, message[0], heartbeat))


def _run(
    function: Callable[[Any, Callable[..., None]], Any],
    reason_of: Callable[[BaseException], str | None],
    task: Any,
    heartbeat: Callable[..., None],
) -> tuple[Any, ...]:
    try:
        value = function(task, heartbeat)
        pickle.dumps(value)  # a value that does not pickle is the function's mistake, and is reported as such
        return "ended", value, None, None
    except BaseException as error:
        reason = "out_of_memory" if isinstance(error, MemoryError) else reason_of(error)
        if reason is None:
            return "bug", traceback.format_exc()
        return "ended", None, reason, f"{type(error).__name__}: {error}"


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
