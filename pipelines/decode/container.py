"""Open a video file, with one kind of error for its faults."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.stream import Discard, Disposition
from av.video.stream import VideoStream

from data_manifests.errors import InputError
from data_manifests.remote.path import RemotePath
from pipelines.decode.media_rules import USUAL, MediaRules, VideoError

# Titles that are not UTF-8 must not fail a video. PyAV 19 reads any bytes and no longer takes the argument.
_ANY_METADATA: dict[str, Any] = {"metadata_errors": "ignore"} if int(av.__version__.split(".")[0]) < 19 else {}


CONTAINERS = (
    *(
        "apng",
        "asf",
        "av1",
        "avi",
        "dhav",
        "dv",
        "flv",
        "gif",
        "h263",
        "h264",
        "hevc",
        "ivf",
        "m4v",
        "matroska",
        "mjpeg",
    ),
    *("mov", "mpeg", "mpegts", "mpegvideo", "mxf", "nut", "obu", "ogg", "rm", "vc1", "vvc", "webm", "wtv"),
    "yuv4mpegpipe",
)
"""FFmpeg's names of the containers that are opened. Playlists (hls, concat, sdp, dash) are not among them: they name
other files, whose changes nothing here would notice."""


STRICT_FLAGS = "crccheck+bitstream+buffer+explode"
"""FFmpeg's ``err_detect`` of the strict mode: a packet with a fault that the decoder can detect is refused."""

STRICT_ANYWAY = frozenset({"mjpeg"})
"""Codecs that are always read in the strict mode. Each of their frames stands alone, so no other is lost with it."""

_SIZE = re.compile(r"Picture size (\d+)x(\d+) exceeds")


def open_stream(path: Path, rules: MediaRules = USUAL) -> tuple[InputContainer, VideoStream]:
    """Open a video file and choose its video stream.

    The other streams are not read. The decoder has one thread: videos are decoded side by side, each in a process.

    Args:
        path: The file.
        rules: What the file may ask for, and where it may lie.

    Raises:
        VideoError: The file is missing, unreadable, empty or not a video, has no video stream, or breaks a rule.
    """
    with errors_of(path):
        rules.refuse_outside(path)
        if path.stat().st_size == 0 and path.is_file():
            raise VideoError(f"{path}: the file is empty (0 bytes); get it again", "empty_file")
        container = _opened(path, rules.max_pixels)
        try:
            stream = _video_stream(container, path)
            _refuse_size(path, stream, rules)
            codec = stream.codec_context
            codec.options = {"max_pixels": str(rules.max_pixels)}  # the size may change on the way
            if rules.strict or codec.name in STRICT_ANYWAY:
                codec.options = {**codec.options, "err_detect": STRICT_FLAGS}
            return container, stream
        except BaseException:
            container.close()
            raise


def _opened(path: Path, max_pixels: int) -> InputContainer:
    # Local files only, and nothing that names other files: a playlist that poses as a video is refused. FFmpeg decodes
    # a frame while it opens some files, so the limit on pixels counts there too.
    options = {"protocol_whitelist": "file", "format_whitelist": ",".join(CONTAINERS), "max_pixels": str(max_pixels)}
    try:
        # A remote file is handed over open: FFmpeg itself has no network here.
        source = path.open("rb", buffering=0) if isinstance(path, RemotePath) else str(path.absolute())
        return av.open(source, options=options, **_ANY_METADATA)
    except OSError:
        raise
    except (av.error.FFmpegError, ValueError) as error:
        raise VideoError(
            f"{path}: FFmpeg finds no video in it ({error}); expected a video file. "
            "A download that was cut off can look like this: get the file again",
            "not_a_video",
        ) from error


def _refuse_size(path: Path, stream: VideoStream, rules: MediaRules) -> None:
    width, height = stream.codec_context.width, stream.codec_context.height
    if not width or not height:
        # A decoder that was stopped by the limit leaves no size; only FFmpeg's message has it.
        width, height = _size_in_messages(path, rules.max_pixels)
    rules.refuse_size(str(path), width, height)


def _size_in_messages(path: Path, max_pixels: int) -> tuple[int, int]:
    level, skips = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)  # another file may have had the same message
    try:
        with av.logging.Capture() as messages:
            _opened(path, max_pixels).close()
    finally:
        av.logging.set_level(level)
        av.logging.set_skip_repeated(skips)
    sizes = [_SIZE.match(text) for _, _, text in messages]
    return next(((int(size[1]), int(size[2])) for size in sizes if size), (0, 0))


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    pictures = [stream for stream in container.streams.video if not _is_cover(stream)]
    if not pictures:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "none"
        raise VideoError(
            f"{path}: no video stream (streams: {kinds}); expected a file with moving pictures",
            "no_video_stream",
        )
    best = container.streams.best("video")
    stream = next((each for each in pictures if best is not None and each.index == best.index), pictures[0])
    if stream.codec_context is None:
        raise VideoError(
            f"{path}: this FFmpeg has no decoder for the video stream; convert the file to H.264",
            "decode_error",
        )
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    stream.codec_context.thread_count = 1
    return stream


def _is_cover(stream: VideoStream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)


@contextmanager
def errors_of(path: Path) -> Iterator[None]:
    """Turn errors of the system and FFmpeg into ``VideoError``.

    The ``VideoError`` names the file. ``InputError`` and ``MemoryError`` pass unchanged.
    """
    try:
        yield
    except (InputError, MemoryError):
        raise
    except OSError as error:
        raise VideoError(
            f"{path}: cannot be read ({error.strerror or error}); check the path, the rights and the disk",
            "io_error",
        ) from error
    except av.error.FFmpegError as error:
        raise VideoError(
            f"{path}: FFmpeg fails while reading ({error}); expected a file it can decode, get it again",
            "decode_error",
        ) from error
