"""Writes small real videos whose frames carry their own number, so that a test can read WHICH frame it got.

Every frame is a 4 x 4 grid of big blocks. The top-left block is always bright and the other three corners are
always dark, so a wrongly turned or colour-swapped frame is noticed; the other twelve blocks are the bits of
the frame's number. A moving texture lies over it, so that inter-frame prediction has something to predict.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

GRID = 4
CORNERS = {(0, 0): True, (0, 3): False, (3, 0): False, (3, 3): False}
DATA_CELLS = [(row, col) for row in range(GRID) for col in range(GRID) if (row, col) not in CORNERS]
BRIGHT = np.array([210, 160, 70], dtype=np.float32)
DARK = np.array([45, 60, 95], dtype=np.float32)


def draw_frame(number: int, size: tuple[int, int]) -> np.ndarray:
    """The picture of frame ``number``: uint8 [H, W, 3] for ``size`` = (width, height)."""
    width, height = size
    rows = np.arange(height) * GRID // height
    cols = np.arange(width) * GRID // width
    bright = np.zeros((GRID, GRID), dtype=bool)
    for cell, is_bright in CORNERS.items():
        bright[cell] = is_bright
    for bit, cell in enumerate(DATA_CELLS):
        bright[cell] = bool(number >> bit & 1)
    picture = np.where(bright[rows][:, cols][..., None], BRIGHT, DARK)
    noise = np.random.default_rng(7).integers(-20, 21, (height, width)).astype(np.float32)
    picture = picture + np.roll(noise, (2 * number, 3 * number), axis=(0, 1))[..., None]
    return np.clip(picture, 0, 255).astype(np.uint8)


def read_number(picture: np.ndarray) -> int:
    """The number of the frame that ``picture`` (uint8 [H, W, 3]) shows; refuses a turned or swapped one."""
    height, width = picture.shape[:2]
    bright = np.zeros((GRID, GRID), dtype=bool)
    for row in range(GRID):
        for col in range(GRID):
            cell = picture[
                (4 * row + 1) * height // 16 : (4 * row + 3) * height // 16,
                (4 * col + 1) * width // 16 : (4 * col + 3) * width // 16,
            ].astype(np.float32)
            bright[row, col] = cell[..., 0].mean() > 128
    for corner, is_bright in CORNERS.items():
        assert bright[corner] == is_bright, f"corner {corner} of the frame is wrong: {bright.astype(int).tolist()}"
    return sum(int(bright[cell]) << bit for bit, cell in enumerate(DATA_CELLS))


def make_video(
    path: Path,
    codec: str = "libx264",
    fps: int | Fraction = 30,
    seconds: float = 2,
    size: tuple[int, int] = (128, 96),
    gop: int = 12,
    b_frames: int = 2,
    open_gop: bool = False,
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    start_pts: int = 0,
    rotation: int = 0,
    hflip: bool = False,
    options: dict[str, str] | None = None,
    sample_aspect_ratio: Fraction | None = None,
) -> int:
    """Write a video and return its number of frames; the container follows from the file's suffix.

    Args:
        pts: Frame times in ``time_base`` ticks (default 1/1000 s) for a variable frame rate; else constant.
        start_pts: Added to every pts.
        rotation: Counter-clockwise degrees that the display matrix asks for; ``size`` is the displayed size
            and the stored frames are turned back, so that a reader that obeys sees upright pictures.
        hflip: The display matrix mirrors as well.
    """
    path = Path(path)
    count = len(pts) if pts is not None else round(float(fps) * seconds)
    stored = size[::-1] if rotation % 180 else size
    options_of_file = {"movflags": "+faststart"} if path.suffix == ".mp4" else {}
    with _same_scheduling(), av.open(str(path), "w", options=options_of_file) as out:
        stream = out.add_stream(codec, rate=fps, options=_codec_options(codec, gop, b_frames, open_gop, options))
        stream.width, stream.height = stored
        stream.pix_fmt = {"gif": "rgb8", "mjpeg": "yuvj420p", "libx264rgb": "rgb24"}.get(codec, "yuv420p")
        context = stream.codec_context
        context.thread_count = 1
        context.gop_size = gop
        if codec in ("mpeg4", "mpeg2video", "libx264"):
            context.max_b_frames = b_frames
        if codec in ("mpeg4", "mpeg2video") and not open_gop:
            context.flags |= av.codec.context.Flags.closed_gop
        if sample_aspect_ratio is not None:
            context.sample_aspect_ratio = sample_aspect_ratio
        tick = time_base or (Fraction(1, 1000) if pts is not None else 1 / Fraction(fps))
        context.time_base = tick
        if rotation or hflip:
            stream.set_display_rotation(rotation, hflip=hflip)
        for number in range(count):
            picture = draw_frame(number, size)
            if hflip:
                picture = picture[:, ::-1]
            picture = np.ascontiguousarray(np.rot90(picture, -rotation // 90))
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = start_pts + (pts[number] if pts is not None else number)
            frame.time_base = tick
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return count


@contextmanager
def _same_scheduling() -> Iterator[None]:
    """Give this thread back the scheduling that it had.

    SVT-AV1 asks for real time with the highest priority (SCHED_FIFO 99), which root gets and keeps. Every process of
    the machine would wait for the tests then.
    """
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, param = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, param)


def _codec_options(
    codec: str, gop: int, b_frames: int, open_gop: bool, options: dict[str, str] | None
) -> dict[str, str]:
    rigid = f"keyint={gop}:min-keyint={gop}:scenecut=0:bframes={b_frames}:b-adapt=0:open-gop={int(open_gop)}"
    chosen = {
        "libx264": {"preset": "veryfast", "x264-params": rigid},
        "libx265": {
            "preset": "ultrafast",
            "x265-params": rigid + ":log-level=none:pools=none:frame-threads=1:wpp=0",
        },
        "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "8", "auto-alt-ref": "1"},
        "libsvtav1": {"preset": "12", "svtav1-params": "lp=1"},
    }.get(codec, {})
    if codec in ("mpeg4", "mpeg2video") and not open_gop:
        chosen = {"sc_threshold": "1000000000"}  # FFmpeg refuses closed GOPs with scene cuts
    return {**chosen, **(options or {})}


def shift_video(source: Path, target: Path, seconds: float) -> None:
    """Copy the packets with every timestamp moved; frames moved before 0 are hidden by an MP4 edit list."""
    with av.open(str(source)) as container, av.open(str(target), "w") as out:
        stream = container.streams.video[0]
        copy = out.add_stream_from_template(stream)
        ticks = round(seconds / stream.time_base)
        for packet in container.demux(stream):
            if packet.dts is None:
                continue
            packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
            packet.stream = copy
            out.mux(packet)


def copy_in_decode_order(source: Path, target: Path, times: Sequence[int] | None = None, fps: int = 30) -> None:
    """Copy the packets with the times of decoding as those of display, as from a container that has no others.

    ``times``: the time of each packet in frames, in decode order; by default 0, 1, 2, …
    """
    with av.open(str(source)) as container, av.open(str(target), "w") as out:
        stream = container.streams.video[0]
        copy = out.add_stream_from_template(stream)
        for number, packet in enumerate(packet for packet in container.demux(stream) if packet.size):
            packet.time_base, packet.duration = Fraction(1, fps), 1
            packet.pts = packet.dts = number if times is None else times[number]
            packet.stream = copy
            out.mux(packet)


def add_placeholders(source: Path, target: Path, fps: int = 30) -> list[int]:
    """Copy MPEG-4 without B frames with a placeholder behind every fifth frame: that frame stays.

    Returns the number of the frame that is shown at each time.
    """
    shown: list[int] = []
    with av.open(str(source)) as container, av.open(str(target), "w") as out:
        stream = container.streams.video[0]
        copy = out.add_stream_from_template(stream)
        for number, original in enumerate(packet for packet in container.demux(stream) if packet.size):
            parts = [(bytes(original), original.is_keyframe)]
            if number % 5 == 3:
                parts.append((b"\0\0\1\xb6\x50\x4f", False))
            for data, key in parts:
                packet = av.Packet(data)
                packet.pts = packet.dts = len(shown)
                packet.time_base, packet.is_keyframe, packet.stream = Fraction(1, fps), key, copy
                out.mux(packet)
                shown.append(number)
    return shown


def pack_b_frames(source: Path, target: Path, fps: int = 30) -> None:
    """Copy MPEG-4 with at most one B frame in a row into an AVI as DivX packs it.

    A packet holds a frame and the B frame that is shown before it; the next packet is a placeholder.
    """
    start, placeholder = b"\0\0\1\xb6", b"\0\0\1\xb6\x50\x4f"
    with av.open(str(source)) as container, av.open(str(target), "w") as out:
        stream = container.streams.video[0]
        copy = out.add_stream_from_template(stream)
        parts = [(bytes(packet), packet.is_keyframe) for packet in container.demux(stream) if packet.size]
        packed: list[tuple[bytes, bool]] = []
        for data, key in parts:
            # The name of the program that wrote the stream, which says that it is packed.
            data = re.sub(rb"Lavc\d+\.\d+\.\d+", b"DivX503b1393p", data)
            if data[data.rfind(start) + 4] >> 6 == 2:
                packed[-1] = (packed[-1][0] + data, packed[-1][1])
                packed.append((placeholder, False))
            else:
                packed.append((data, key))
        for number, (data, key) in enumerate(packed):
            packet = av.Packet(data)
            packet.pts = packet.dts = number
            packet.time_base, packet.is_keyframe, packet.stream = Fraction(1, fps), key, copy
            out.mux(packet)


def make_audio(path: Path, seconds: float = 1, with_video: bool = False) -> None:
    """Write a file with a sound stream, followed by ten frames of video if asked."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=16000, layout="mono")
        if with_video:
            pictures = out.add_stream("mpeg4", rate=10)
            pictures.width, pictures.height, pictures.pix_fmt = 128, 96, "yuv420p"
        for start in range(0, int(16000 * seconds), 1024):
            wave = np.sin(np.arange(start, start + 1024) / 20, dtype=np.float32)[None]
            frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16000, start
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if with_video:
            for number in range(10):
                out.mux(pictures.encode(av.VideoFrame.from_ndarray(draw_frame(number, (128, 96)))))
            out.mux(pictures.encode(None))


def make_audio_with_cover(path: Path) -> None:
    """Write a sound file with an attached cover picture, which containers store as a video stream."""
    with av.open(str(path), "w") as out:
        sound = out.add_stream("aac", rate=16000, layout="mono")
        cover = out.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 128, 96, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        out.mux(cover.encode(av.VideoFrame.from_ndarray(draw_frame(0, (128, 96)))))
        out.mux(cover.encode(None))
        for start in range(0, 16000, 1024):
            wave = np.sin(np.arange(start, start + 1024) / 20, dtype=np.float32)[None]
            frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16000, start
            out.mux(sound.encode(frame))
        out.mux(sound.encode(None))


def truncate(source: Path, target: Path, share: float) -> None:
    """Copy the first ``share`` of the file's bytes."""
    data = Path(source).read_bytes()
    Path(target).write_bytes(data[: int(len(data) * share)])


def _places(source: Path) -> list[tuple[int, int]]:
    with av.open(str(source)) as container:
        return [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]


def truncate_in_packet(source: Path, target: Path, number: int) -> None:
    """Copy the file up to the fourth byte of a packet (counted in decode order)."""
    position, _ = _places(source)[number]
    Path(target).write_bytes(Path(source).read_bytes()[: position + 4])


def scratch(source: Path, target: Path, number: int) -> None:
    """Copy the file with single bytes changed in the second half of a packet, its headers left whole."""
    data = bytearray(Path(source).read_bytes())
    position, size = _places(source)[number]
    for offset in range(size // 2, size, 9):
        data[position + offset] ^= 0x55
    Path(target).write_bytes(bytes(data))


def damage(source: Path, target: Path, numbers: Sequence[int]) -> None:
    """Copy the file with the coded data of some packets (counted in decode order) overwritten by noise."""
    data = bytearray(Path(source).read_bytes())
    places = _places(source)
    for number in numbers:
        position, size = places[number]
        noise = np.random.default_rng(number).integers(0, 256, size, dtype=np.uint8)
        data[position : position + size] = noise.tobytes()
    Path(target).write_bytes(bytes(data))


def cut_packets(source: Path, target: Path, start: int, stop: int | None = None) -> None:
    """Copy the packets [start, stop) in decode order, as a cut without re-encoding does."""
    with av.open(str(source)) as container, av.open(str(target), "w") as out:
        stream = container.streams.video[0]
        copy = out.add_stream_from_template(stream)
        packets = [packet for packet in container.demux(stream) if packet.size]
        for packet in packets[start:stop]:
            packet.stream = copy
            out.mux(packet)
