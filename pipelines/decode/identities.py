"""Identify the files of videos, remote ones side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from data_manifests.remote.errors import RemoteError
from data_manifests.remote.stores import forget
from pipelines.decode.task import VideoTask

MISSING = "missing"
"""Identity of a file that is gone, or that cannot be read now."""

_SIDE_BY_SIDE = 16
_TRIED_FIRST = 3


def identities(tasks: Sequence[VideoTask], identify: Callable[[VideoTask], str], *, remote: bool) -> dict[str, str]:
    """Identify the file of each video.

    Args:
        tasks: the videos.
        identify: returns the identity of one file. It is called from several threads where files are remote, since each
            call waits for a store.
        remote: whether a root is remote.

    Returns:
        Video id → identity. A remote file that cannot be read just now is :data:`MISSING`.

    Raises:
        RemoteError: a store refuses, or none of the first files can be read.
    """
    if not remote:
        return {task.video_id: identify(task) for task in tasks}
    forget()

    def patient(task: VideoTask) -> str | RemoteError:
        try:
            return identify(task)
        except RemoteError as error:
            if error.final:
                raise
            return error

    # A store that does not answer at all is found out before every file has waited for it.
    first = [patient(task) for task in tasks[:_TRIED_FIRST]]
    errors = [item for item in first if isinstance(item, RemoteError)]
    if errors and len(errors) == len(first):
        raise errors[0]
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        found = [*first, *pool.map(patient, tasks[_TRIED_FIRST:])]
    return {
        task.video_id: MISSING if isinstance(item, RemoteError) else item
        for task, item in zip(tasks, found, strict=True)
    }
