"""Worker functions of the media program, in processes whose memory is limited."""

from __future__ import annotations

import hashlib
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av

from pipelines.decode.convert import RgbConverter
from pipelines.decode.encode_jpeg import from_jpeg, from_png, is_png, to_jpeg
from pipelines.decode.task import VideoTask
from pipelines.decode.worker import decode_video

PEAKS = "MEDIA_PROGRAM_PEAKS"
"""Variable of the environment with the file to which each worker appends its peak of memory, in MiB."""

_MORE_MIB = 1024
_limited: list[bool] = []


def limit_memory() -> None:
    """Let this process take 1 GiB more memory of its own than it has, from the first call on."""
    if not _limited:
        _limited.append(True)
        lines = Path("/proc/self/status").read_text().splitlines()
        now = next(int(line.split()[1]) for line in lines if line.startswith("VmData:"))
        resource.setrlimit(resource.RLIMIT_DATA, ((now << 10) + (_MORE_MIB << 20),) * 2)


def decode_limited(task: VideoTask, heartbeat: Callable[[], None]) -> dict[str, Any]:
    """Decode as ``xmic decode`` does, in limited memory."""
    limit_memory()
    try:
        return decode_video(task, heartbeat)
    finally:
        with Path(os.environ[PEAKS]).open("a") as file:
            file.write(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10}\n")


def decode_plainly(task: tuple[str, int], heartbeat: Callable[[], None]) -> tuple[set[str], int]:
    """Decode all of a file by FFmpeg alone, as any player does; a fault ends nothing.

    Args:
        task: the file, and the quality of the JPEGs.
        heartbeat: called for every packet.

    Returns:
        The sha256 of the JPEG of each frame, and the number of packets.
    """
    limit_memory()
    path, quality = Path(task[0]), task[1]
    found: set[str] = set()
    packets_read = 0
    if path.suffix in (".jpg", ".png"):
        data = path.read_bytes()
        picture = from_png(data) if is_png(data) else from_jpeg(data)
        return {digest(to_jpeg(picture, quality) if is_png(data) else data)}, 1
    converter = RgbConverter()
    with av.open(str(path), options={"max_pixels": "10000000"}) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        stream.codec_context.options = {"max_pixels": "10000000"}
        packets = container.demux(stream)
        while True:
            heartbeat()
            try:
                packet = next(packets, None)
            except (av.error.FFmpegError, IndexError):  # the container is unreadable from here on
                packet = None
            try:
                frames = stream.codec_context.decode(packet)
            except av.error.MemoryError:
                raise
            except av.error.FFmpegError:
                frames = []
            for frame in frames:
                found.add(digest(to_jpeg(converter.convert(frame, 0), quality)))
            if packet is None or not packet.size:
                break
            packets_read += 1
    return found, packets_read


def digest(jpeg: bytes) -> str:
    """The sha256 of a stored frame."""
    return hashlib.sha256(jpeg).hexdigest()


def any_reason(error: BaseException) -> str | None:
    """Every error is an outcome of the plain decoding."""
    return type(error).__name__
