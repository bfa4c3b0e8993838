"""Catch what libjpeg says about a damaged picture.

libjpeg fills the damaged part of a picture with something and goes on. It only prints a warning, and OpenCV hands
none on. So standard error is read while a picture is decoded.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable
from typing import TypeVar

import av

Result = TypeVar("Result")

_DAMAGE = re.compile(
    rb"^(?:Corrupt JPEG data|Premature end of JPEG|Inconsistent progression|Application transf).*", re.M
)


def watched(decode: Callable[[], Result]) -> tuple[Result, str | None]:
    """Decode a picture and catch the warning that libjpeg prints.

    Standard error of the whole process is caught meanwhile, so no other thread may decode pictures. What is no warning
    about damage is printed afterwards.

    Returns:
        The result, and the first warning about damage; None without one.
    """
    sys.stderr.flush()
    try:
        usual = os.dup(2)
    except OSError:  # standard error is closed, so nothing can be caught
        return decode(), None
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            result = decode()
        finally:
            os.dup2(usual, 2)
            os.close(usual)
            caught.seek(0)
            printed = caught.read()
            warning = _DAMAGE.search(printed)
            rest = _DAMAGE.sub(b"", printed).strip()
            if rest:
                os.write(2, rest + b"\n")
    return result, warning[0].decode("ascii", "replace") if warning else None


def refused_by_ffmpeg(jpeg: bytes) -> bool:
    """Check whether FFmpeg, too, decodes a JPEG without a fault.

    It notices some damage that libjpeg does not.
    """
    context = av.CodecContext.create("mjpeg", "r")
    context.thread_count = 1
    context.options = {"err_detect": "explode"}
    try:
        frames = [*context.decode(av.Packet(jpeg)), *context.decode(None)]
    except av.error.MemoryError:
        raise
    except av.error.FFmpegError:
        return True
    return not frames or any(frame.is_corrupt for frame in frames)
