"""A worker function for tests: decode, but call PyAV wrongly on videos called bug*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import av

from pipelines.decode.task import VideoTask
from pipelines.decode.worker import decode_video


def decode_wrongly(task: VideoTask, heartbeat: Callable[[], None]) -> dict[str, Any]:
    """Decode a video, or raise the TypeError of an argument that PyAV does not know."""
    if task.video_id.startswith("bug"):
        av.open(task.path, no_such_argument=True)
    return decode_video(task, heartbeat)
