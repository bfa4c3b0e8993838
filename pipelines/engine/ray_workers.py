"""Give jobs to the workers of a Ray cluster.

A worker is an actor: a process that keeps what it has loaded, with CPUs and GPUs of its own. Its job is a stream of
pieces. Each piece is reported when it is done, so a worker that dies takes only the piece in hand with it. Ray is
imported by :func:`connect` and nowhere else.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import time
import traceback
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from data_manifests.errors import InputError, UsageError, XmicError
from data_manifests.remote.access import Access, current, use
from pipelines.engine.machine import usable_cores
from pipelines.engine.memory import release_memory
from pipelines.engine.workers import WorkerBug

_STARTS = 3
"""Workers in a row that may fail to start before the call gives up."""

_LOOK_S = 2.0
"""Seconds for which the size of the cluster is taken as unchanged."""

_OBJECT_STORE = 128 * 1024 * 1024
"""Bytes of the object store of a cluster that is started for a call: only stages and small answers go through it."""


class Notes:
    """Progress of a worker: its notes are kept for the driver."""

    def __init__(self) -> None:
        self._notes: list[str] = []

    def start(self, what: str, total: int, unit: str = "", done: int = 0) -> None:
        """Ignore the start of a piece of work."""

    def advance(self, steps: int = 1) -> None:
        """Ignore the finished steps."""

    def note(self, text: str) -> None:
        """Keep a message for the driver."""
        self._notes.append(text)

    def state(self, text: str) -> None:
        """Ignore the state of the work."""

    def finish(self) -> None:
        """Ignore the end of the work."""

    def taken(self) -> list[str]:
        """Return the notes since the last call."""
        notes, self._notes = self._notes, []
        return notes


class Job(Protocol):
    """Work for one worker; it pickles."""

    @property
    def pieces(self) -> Sequence[str]:
        """Names of its parts; a worker reports each when it is done."""
        ...

    def run(self, kept: dict[Hashable, Any], notes: Notes) -> Iterator[tuple[str, Any]]:
        """Do the job in the worker.

        Args:
            kept: what earlier jobs left in the worker's memory, and this one may.
            notes: receives notes for the user.

        Yields:
            Each piece when it is done, with its result.
        """
        ...


@dataclass(frozen=True)
class Said:
    """A piece that is done, with its result."""

    job: Job
    piece: str
    value: Any
    notes: Sequence[str]


@dataclass(frozen=True)
class Failed:
    """A job that ended with an error."""

    job: Job
    error: BaseException
    notes: Sequence[str]


@dataclass(frozen=True)
class Lost:
    """A job whose worker died.

    Attributes:
        job: the job.
        pieces: pieces that were not reported.
        holder: the worker, as :func:`pipelines.engine.locks.holder_of` names it.
        why: cause in Ray's words, one line.
    """

    job: Job
    pieces: Sequence[str]
    holder: str
    why: str


Event = Said | Failed | Lost


class Worker:
    """Worker process, as a Ray actor.

    Args:
        folder: current folder of the driver, to which paths may be relative.
        threads: the driver's OMP_NUM_THREADS; empty leaves what Ray sets.
        remote: how remote files may be used.
    """

    def __init__(self, folder: str, threads: str, remote: Access) -> None:
        os.chdir(folder)
        use(remote)
        if threads:
            os.environ["OMP_NUM_THREADS"] = threads  # no library has read it yet
        self._kept: dict[Hashable, Any] = {}

    def holder(self) -> str:
        """Name this process as the holder of a lock."""
        return f"process {os.getpid()} on host {socket.gethostname()}"

    def run(self, job: Job) -> Iterator[tuple[str, Any, Any, list[str]]]:
        """Do a job.

        Yields:
            ('done', piece, result, notes), or ('failed', None, error, notes) at the end.
        """
        notes = Notes()
        try:
            for piece, value in job.run(self._kept, notes):
                yield "done", piece, value, notes.taken()
        except Exception as error:
            yield "failed", None, _portable(error), notes.taken()
        finally:
            release_memory()


def _portable(error: Exception) -> BaseException:
    """Return an error that can be pickled, with the worker's traceback where it is a bug."""
    if not isinstance(error, XmicError | OSError):
        return WorkerBug(f"a Ray worker met a mistake in the program:\n{traceback.format_exc()}")
    try:
        pickle.loads(pickle.dumps(error))
        return error
    except Exception:
        return InputError(str(error))


@dataclass
class _Actor:
    """A worker as the driver sees it."""

    handle: Any
    awaited: Any
    """Reference to its next answer; None while it is idle."""
    holder: str = ""
    job: Job | None = None
    left: list[str] = field(default_factory=list)


class Pool:
    """Workers of one kind.

    Args:
        cluster: the connection.
        cpus: CPUs of each worker.
        gpus: GPUs of each worker.
        reserved_cpus: CPUs of the cluster that are for other pools.
    """

    def __init__(self, cluster: Cluster, cpus: int, gpus: float, reserved_cpus: float = 0) -> None:
        self.cpus, self.gpus = cpus, gpus
        self._cluster, self._reserved = cluster, reserved_cpus
        self.actors: list[_Actor] = []
        self._failed_starts = 0

    @property
    def limit(self) -> int:
        """Workers that the cluster has room for, at least 1."""
        there = self._cluster.resources()
        by_cpu = (there.get("CPU", 0.0) - self._reserved) // self.cpus
        by_gpu = there.get("GPU", 0.0) // self.gpus if self.gpus else by_cpu
        return max(1, int(min(by_cpu, by_gpu)))

    @property
    def idle(self) -> list[_Actor]:
        """Workers without a job that have started."""
        return [actor for actor in self.actors if actor.awaited is None]

    def grow(self, jobs: int) -> None:
        """Start workers for waiting jobs, as far as there is room."""
        starting = sum(actor.awaited is not None and actor.job is None for actor in self.actors)
        missing = min(jobs - starting - len(self.idle), self.limit - len(self.actors))
        for _ in range(missing):
            handle = self._cluster.new_worker(self.cpus, self.gpus)
            self.actors.append(_Actor(handle, handle.holder.remote()))

    def give(self, actor: _Actor, job: Job) -> None:
        """Give a job to an idle worker."""
        actor.job, actor.left = job, list(job.pieces)
        actor.awaited = actor.handle.run.options(num_returns="streaming").remote(job)

    def hear(self, actor: _Actor) -> Event | None:
        """Receive what a worker says.

        None where it has started or is idle again.

        Raises:
            InputError: no worker can start.
        """
        ray = self._cluster.ray
        try:
            if actor.job is None:
                actor.holder, actor.awaited = ray.get(actor.awaited), None
                self._failed_starts = 0
                return None
            try:
                answer = next(actor.awaited)
            except StopIteration:
                return self._ended(actor, actor.job)
            kind, piece, value, notes = ray.get(answer)
        except ray.exceptions.RayError as error:
            if actor.job is not None and isinstance(error, ray.exceptions.RayTaskError):
                kind, value, notes = "failed", WorkerBug(f"a Ray worker cannot do its job:\n{error}"), []
            else:
                return self._buried(actor, error)
        if kind == "failed":
            actor.left = []
            return Failed(actor.job, value, notes)
        actor.left.remove(piece)
        return Said(actor.job, piece, value, notes)

    def _ended(self, actor: _Actor, job: Job) -> Event | None:
        left, actor.job, actor.awaited, actor.left = actor.left, None, None, []
        return Failed(job, WorkerBug(f"a Ray worker left out {', '.join(left)}"), []) if left else None

    def _buried(self, actor: _Actor, error: Exception) -> Event | None:
        self.actors.remove(actor)
        self._cluster.kill(actor)
        why = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        if actor.job is not None:
            return Lost(actor.job, actor.left, actor.holder, why) if actor.left else None
        self._failed_starts += 1
        if self._failed_starts >= _STARTS:
            raise InputError(
                f"no worker of the Ray cluster can start, after {_STARTS} tries. Is the same xmic installed on every "
                f"node, and is the folder {Path.cwd()} on each of them? The last one said: {error}"
            )
        return None


class Cluster:
    """Connection to a Ray cluster.

    Args:
        address: HOST:PORT or 'auto'; None takes a running cluster, else starts one on this machine.

    Raises:
        UsageError: Ray is not installed here.
        InputError: there is no cluster at the address.
    """

    def __init__(self, address: str | None) -> None:
        self.ray = _import_ray()
        self._mine = not self.ray.is_initialized()
        if self._mine:
            with _signals_kept():
                _connect(self.ray, address)
        self._remote = self.ray.remote(Worker)
        self._seen: tuple[float, dict[str, float]] | None = None
        self.pools: list[Pool] = []

    def resources(self) -> dict[str, float]:
        """Return what the nodes have in all: 'CPU', 'GPU' and others."""
        if self._seen is None or time.monotonic() - self._seen[0] > _LOOK_S:
            self._seen = time.monotonic(), self.ray.cluster_resources()
        return self._seen[1]

    def pool(self, cpus: int, gpus: float = 0, reserved_cpus: float = 0) -> Pool:
        """Make a pool of workers; none is started yet."""
        self.pools.append(Pool(self, cpus, gpus, reserved_cpus))
        return self.pools[-1]

    def new_worker(self, cpus: int, gpus: float) -> Any:
        """Start a worker; it waits for room."""
        options = self._remote.options(num_cpus=cpus, num_gpus=gpus, max_restarts=0, max_task_retries=0)
        return options.remote(str(Path.cwd()), os.environ.get("OMP_NUM_THREADS", ""), current())

    def events(self, timeout_s: float) -> list[Event]:
        """Wait for the next answer of a worker, for a while.

        Raises:
            InputError: no worker can start.
        """
        awaited = [(pool, actor) for pool in self.pools for actor in pool.actors if actor.awaited is not None]
        if not awaited:
            return []
        ready, _ = self.ray.wait([actor.awaited for _, actor in awaited], timeout=timeout_s)
        spoken = [(pool, actor) for pool, actor in awaited if any(actor.awaited is ref for ref in ready)]
        return [event for pool, actor in spoken if (event := pool.hear(actor)) is not None]

    def kill(self, actor: _Actor) -> None:
        """End a worker at once."""
        with suppress(Exception):  # it may be dead already, as may its node
            self.ray.kill(actor.handle)

    def end_work(self) -> list[Lost]:
        """End all workers that are not idle; return their jobs."""
        lost = []
        for pool in self.pools:
            for actor in [actor for actor in pool.actors if actor.awaited is not None]:
                pool.actors.remove(actor)
                self.kill(actor)
                if actor.job is not None:
                    lost.append(Lost(actor.job, actor.left, actor.holder, "it was ended"))
        return lost

    def end_workers(self) -> None:
        """End all workers."""
        for pool in self.pools:
            for actor in pool.actors:
                self.kill(actor)
            pool.actors.clear()

    def close(self) -> None:
        """End all workers, and the connection where this object made it."""
        self.end_workers()
        if self._mine:
            self.ray.shutdown()


def _import_ray() -> Any:
    try:
        import ray
        import ray.exceptions
    except ImportError:
        raise UsageError("--executor ray: the package ray is not installed. Run pip install 'xmic[ray]'.") from None
    return ray


def _connect(ray: Any, address: str | None) -> None:
    quiet = {"logging_level": "ERROR", "log_to_driver": False}
    try:
        ray.init(address=address or "auto", **quiet)
        return
    except (ConnectionError, RuntimeError) as error:
        if address is not None or os.environ.get("RAY_ADDRESS"):
            raise InputError(
                f"--address {address or os.environ['RAY_ADDRESS']}: no Ray cluster answers there ({error}). Start one "
                "with ray start --head, or leave --address out."
            ) from None
    except ValueError as error:
        raise UsageError(f"--address {address}: expected HOST:PORT or auto ({error})") from None
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster of our own calls nobody
    ray.init(
        address="local",
        num_cpus=usable_cores(),
        include_dashboard=False,
        object_store_memory=_OBJECT_STORE,
        **quiet,
    )


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Keep the handlers of signals, which Ray replaces by its own."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        with suppress(ValueError):  # not the main thread
            signal.signal(number, handler)
