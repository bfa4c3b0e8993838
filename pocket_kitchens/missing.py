"""Files that are drawn by processes side by side, those that are not there yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

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
    """Call a function for every task whose file is missing; how many those were.

    Args:
        what: of the progress.
        function: importable by name; makes a task's file.
        tasks: (file, task).
        workers: processes.
        timeout_s: after so long without a heartbeat a process is killed.
        failed: the error to raise of the first task that could not be done.
        progress: told of each task.
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


def _reason(error: BaseException) -> str:
    return type(error).__name__
