"""Files that are drawn by processes side by side, those that are not there yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av

from data_manifests.errors import XmicError
from pipelines.executors.killable import Outcome, run_killable
from pipelines.progress import Progress


def make_missing(
    what: str,
    function: Callable[[Any, Callable[[], None]], None],
    tasks: Sequence[tuple[Path, Any]],
    workers: int,
    timeout_s: float,
    failed: Callable[[Outcome], Exception],
    progress: Progress,
) -> int:
    """Call a function for every task whose file is missing; how many those were.

    Args:
        what: of the progress.
        function: importable by name; makes a task's file.
        tasks: (file, task).
        workers: processes.
        timeout_s: after so long without a heartbeat a process is killed.
        failed: the error to raise of the first task that the machine would not do.
        progress: told of each task.

    Raises:
        WorkerBug: the function itself is wrong.
    """
    todo = [task for path, task in tasks if not path.is_file()]
    progress.start(what, len(tasks))
    progress.advance(len(tasks) - len(todo))
    for outcome in run_killable(function, enumerate(todo), workers=workers, timeout_s=timeout_s, reason_of=_reason):
        if outcome.reason is not None:
            raise failed(outcome)
        progress.advance()
    progress.finish()
    return len(todo)


def _reason(error: BaseException) -> str | None:
    of_the_machine = isinstance(error, XmicError | OSError | av.error.FFmpegError)
    return type(error).__name__ if of_the_machine else None
