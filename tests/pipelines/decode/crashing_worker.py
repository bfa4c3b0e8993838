"""Worker functions for tests: what decode would do to a video, and how it may die on one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

from pipelines.decode.task import VideoTask
from pipelines.decode.worker import decode_video


def decode_or_die(task: VideoTask, heartbeat: Callable[[], None]) -> dict[str, Any]:
    """Decode, but crash natively on videos called crash*, and hang on those called hang*."""
    if task.video_id.startswith("crash"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if task.video_id.startswith("hang"):
        time.sleep(600)
    return decode_video(task, heartbeat)
