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
        resource.setrlimit(resource.RLIMIT_DATA, ((_of_status("VmData") << 10) + (_MORE_MIB << 20),) * 2)


def _of_status(name: str) -> int:
    """A size of this process, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def decode_limited(task: VideoTask, heartbeat: Callable[[], None]) -> dict[str, Any]:
    """Decode as ``xmic decode`` does, in limited memory."""
    limit_memory()
    try:
        return decode_video(task, heartbeat)
    finally:
        with Path(os.environ[PEAKS]).open("a") as file:
            file.write(f"{_of_status('VmHWM') >> 10}\n")  # ru_maxrss begins with that of the process that started this


def decode_plainly(task: tuple[str, int], heartbeat: Callable[[], None]) -> tuple[set[str], int, set[int]]:
    """Decode all of a file by FFmpeg alone, as any player does; a fault ends nothing.

    Args:
        task: the file, and the quality of the JPEGs.
        heartbeat: called for every packet.

    Returns:
        The sha256 of the JPEG of each frame, the number of packets, and the pts of frames of which the decoder leaves
        blocks unwritten: they differ between buffers that are used again and new ones.
    """
    limit_memory()
    path, quality = Path(task[0]), task[1]
    if path.suffix in (".jpg", ".png"):
        data = path.read_bytes()
        picture = from_png(data) if is_png(data) else from_jpeg(data)
        return {digest(to_jpeg(picture, quality) if is_png(data) else data)}, 1, set()
    converter = RgbConverter()
    shown, packets = _played(path, heartbeat, lambda frame: digest(to_jpeg(converter.convert(frame, 0), quality)))
    used_again, _ = _played(path, heartbeat, _pixels)
    held: list[av.VideoFrame] = []
    new, _ = _played(path, heartbeat, lambda frame: held.append(frame) or _pixels(frame))
    undefined = {pts for pts in used_again.keys() | new if used_again.get(pts) != new.get(pts)}
    return {digest for digests in shown.values() for digest in digests}, packets, undefined


def _pixels(frame: av.VideoFrame) -> str:
    try:
        return digest(frame.to_ndarray().tobytes())
    except ValueError:  # a format that PyAV does not hand to NumPy
        return digest(frame.to_ndarray(format="rgb24").tobytes())


def _played(
    path: Path, heartbeat: Callable[[], None], look: Callable[[av.VideoFrame], str]
) -> tuple[dict[int | None, list[str]], int]:
    """Decode a file: what was seen of each frame by pts, and the number of packets."""
    found: dict[int | None, list[str]] = {}
    packets_read = 0
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
                found.setdefault(frame.pts, []).append(look(frame))
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
