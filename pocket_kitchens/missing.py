"""Draw missing files in parallel processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av

from data_manifests.errors import XmicError
from pipelines.engine.progress import Progress
from pipelines.engine.workers import Outcome, run_killable


def make_missing(
    what: str,
    function: Callable[[Any, Callable[[], None]], None],
    tasks: Sequence[tuple[Path, Any]],
    workers: int,
    timeout_s: float,
    failed: Callable[[Outcome], Exception],
    progress: Progress,
) -> int:
    """Call a function for every task whose file is missing.

    Args:
        what: name of the work in the progress.
        function: makes a task's file; importable by name.
        tasks: (file, task) pairs.
        workers: number of processes.
        timeout_s: seconds without a heartbeat after which a process is killed.
        failed: returns the error to raise for the first task that failed.
        progress: updated with each task.

    Returns:
        The number of tasks that were missing.
    """
    todo = [task for path, task in tasks if not path.is_file()]
    progress.start(what, len(tasks), done=len(tasks) - len(todo))
    for outcome in run_killable(function, enumerate(todo), workers=workers, timeout_s=timeout_s, reason_of=_reason):
        if outcome.reason is not None:
            raise failed(outcome)
        progress.advance()
    progress.finish()
    return len(todo)


def _reason(error: BaseException) -> str | None:
    of_the_machine = isinstance(error, XmicError | OSError | av.error.FFmpegError)
    return type(error).__name__ if of_the_machine else None
