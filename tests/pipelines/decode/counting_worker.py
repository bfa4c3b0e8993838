"""A worker function for tests: decode, and tell how many packets were read and whether an index is kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.decode.task import VideoTask
from pipelines.decode.worker import decode_video


def decode_and_count(task: VideoTask, heartbeat: Callable[[], None]) -> dict[str, Any]:
    """Decode; heartbeats, and 1 where indexes are kept, go into a file named for the video in ``HEARTBEATS``."""
    beats = 0

    def counted() -> None:
        nonlocal beats
        beats += 1
        heartbeat()

    result = decode_video(task, counted)
    (Path(os.environ["HEARTBEATS"]) / task.video_id).write_text(f"{beats} {int(bool(task.indexes))}")
    return result
