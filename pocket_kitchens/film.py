"""Render a planned video to a file, with the truth per frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np

from pocket_kitchens.drawing.clip import render
from pocket_kitchens.drawing.domains import Domain
from pocket_kitchens.drawing.spec import HEIGHT, WIDTH, HandBox
from pocket_kitchens.world import PlannedVideo


def film(video: PlannedVideo, domain: Domain, path: Path, heartbeat: Callable[[], None]) -> list[list[HandBox]]:
    """Render a video to an H.264 file.

    Args:
        video: the clips of the video.
        domain: look and frame rate of the video.
        path: the file to write.
        heartbeat: called after each frame.

    Returns:
        The hands of each frame.
    """
    truth: list[list[HandBox]] = []
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=domain.fps, options=_ENCODING)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for clip in video.clips:
            for frame in render(clip, domain):
                heartbeat()
                truth.append(frame.hands)
                # OpenCV's conversion takes a fraction of the time of FFmpeg's.
                yuv = np.asarray(cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2YUV_I420), np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(yuv, format="yuv420p")))
        container.mux(stream.encode())
    return truth


# One thread: the same bytes on a machine with other cores.
_ENCODING = {"crf": "24", "preset": "ultrafast", "x264-params": "keyint=12:min-keyint=12:scenecut=0:threads=1"}
