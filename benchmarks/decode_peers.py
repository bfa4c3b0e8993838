"""CPU time to get the wanted frames of videos, beside other programs and the limit of FFmpeg.

    python -m benchmarks.decode_peers [--quick] [--rounds N] [--report FILE]

Every rival gives the same frames as RGB with a short side of 256 pixels: xmic, torchcodec in exact mode, OpenCV and
decord. Each has one thread, and one decoder per video that it asks for the frames of one clip after another; xmic asks
for all of them at once, as `xmic decode` does. The limit is FFmpeg that decodes the packets that xmic decodes, with
the same skip flags, from memory and without conversion. Rivals run in random order in every round. Reported are the
medians of CPU seconds of the whole process, and the ratios. `pip install -e '.[bench]'` installs torchcodec (which
needs FFmpeg's shared libraries) and decord; one that is missing is named. Frames of a rival that are not the wanted
ones are counted: the pictures of all rivals are compared with a plain decoding of the file.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import random
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from operator import attrgetter
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from benchmarks.command import exit_code_of, markdown_table, write_report
from data_manifests.errors import UsageError
from pipelines.decode.container import open_stream
from pipelines.decode.media_rules import USUAL
from pipelines.decode.packet_index import NONREF_IS_FINAL, demuxed, plan_runs, read_index
from pipelines.decode.plan import FramePlan
from pipelines.decode.reader import open_video

FPS = Fraction(60000, 1001)
CLIP_S, CLIP_EVERY_S = 3.5, 4.0
PEERS = ("torchcodec", "opencv-python", "decord")
SIDE = 256
OTHER_FRAME = 6.0
"""Mean difference, of 255, from which a picture shows another frame: neighbours differ by more than twice as much."""

Pictures = Iterator[np.ndarray]


@dataclass(frozen=True)
class Video:
    """A kind of video to be written."""

    codec: str
    width: int
    height: int
    group: int

    @property
    def name(self) -> str:
        return f"{self.height}p {'H.264' if self.codec == 'libx264' else 'HEVC'} GOP {self.group}"


VIDEOS = (
    *(Video("libx264", 456, 256, group) for group in (12, 25, 250)),
    *(Video("libx265", 456, 256, group) for group in (25, 250)),
    *(Video("libx264", 1920, 1080, group) for group in (12, 25, 250)),
)


@dataclass(frozen=True)
class Work:
    """A video, and the numbers of the wanted frames of each of its clips."""

    path: Path
    video: Video
    clips: list[list[int]]
    candidates: int

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the pictures."""
        return (456, SIDE) if self.video.height > SIDE else (self.video.width, self.video.height)


def write_video(path: Path, video: Video, seconds: float) -> None:
    """A window that moves over a texture as rough as a photograph (1/f), with some noise of a sensor."""
    random_numbers = np.random.default_rng(0)
    shape = (2 * video.height, 2 * video.width)
    frequencies = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None])
    spectrum = np.exp(2j * np.pi * random_numbers.random((3, *frequencies.shape))) / np.maximum(
        frequencies, 1 / max(shape)
    )
    layers = np.fft.irfft2(spectrum, shape)
    layers = layers / layers.std((1, 2), keepdims=True)
    mixed = np.einsum("ij,jhw->hwi", [[1, 0.5, 0.2], [1, 0, -0.2], [1, -0.5, 0.2]], layers)
    texture = np.clip(120 + 45 * mixed, 0, 255).astype(np.uint8)
    noise = random_numbers.integers(0, 5, (4, video.height, video.width, 3), np.uint8)
    options = {"preset": "veryfast", "threads": "1"}
    keys = f"keyint={video.group}:min-keyint={video.group}:scenecut=0"
    options["x264-params" if video.codec == "libx264" else "x265-params"] = (
        keys if video.codec == "libx264" else f"{keys}:open-gop=0:log-level=none:pools=1:frame-threads=1"
    )
    with av.open(str(path), "w") as container:
        stream = container.add_stream(video.codec, rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, "yuv420p"
        for number in range(round(float(FPS) * seconds)):
            # Neighbours differ, wherever on its way the window is.
            x, y = (abs(side - number * step % (2 * side)) for side, step in ((video.width, 6), (video.height, 4)))
            picture = cv2.add(texture[y : y + video.height, x : x + video.width], noise[number % 4])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def wanted_clips(seconds: float, candidates: int) -> list[list[int]]:
    """Numbers of the frames of every clip: the nearest to each instant, the earlier one of two."""
    starts = np.arange(0, seconds - CLIP_S, CLIP_EVERY_S)
    plan = FramePlan(candidates=candidates)
    return [
        np.unique(np.ceil(plan.times(start, start + CLIP_S).reshape(-1) * float(FPS) - 0.5).astype(int)).tolist()
        for start in starts
    ]


def xmic(work: Work) -> Pictures:
    with open_video(work.path) as reader:
        times = np.array([number / float(FPS) for clip in work.clips for number in clip])
        yield from map(attrgetter("rgb"), reader.frames(np.unique(reader.select(times).pts).tolist(), SIDE))
        assert reader.fallback is None, reader.fallback


def torchcodec(work: Work) -> Pictures:
    from torchcodec.decoders import VideoDecoder
    from torchcodec.transforms import Resize

    width, height = work.size
    scaled = [Resize((height, width))] if height != work.video.height else None
    decoder = VideoDecoder(work.path, dimension_order="NHWC", num_ffmpeg_threads=1, transforms=scaled)
    for clip in work.clips:
        yield from decoder.get_frames_at(clip).data.numpy()


def opencv(work: Work) -> Pictures:
    capture = cv2.VideoCapture(str(work.path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    try:
        for clip in work.clips:
            capture.set(cv2.CAP_PROP_POS_FRAMES, clip[0])
            at = clip[0]
            for number in clip:
                for _ in range(at, number + 1):
                    capture.grab()
                at = number + 1
                picture = capture.retrieve()[1]
                if picture.shape[0] != work.size[1]:
                    picture = cv2.resize(picture, work.size, interpolation=cv2.INTER_AREA)
                yield cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    finally:
        capture.release()


def decord(work: Work) -> Pictures:
    from decord import VideoReader, cpu

    width, height = work.size
    reader = VideoReader(str(work.path), ctx=cpu(0), width=width, height=height, num_threads=1)
    for clip in work.clips:
        yield from reader.get_batch(clip).asnumpy()


RIVALS: dict[str, tuple[str, Callable[[Work], Pictures]]] = {
    "xmic": ("av", xmic),
    "torchcodec": ("torchcodec", torchcodec),
    "OpenCV": ("cv2", opencv),
    "decord": ("decord", decord),
}
"""Name → the package it needs, and how it reads."""


def limit(work: Work) -> Callable[[], int]:
    """FFmpeg alone on the packets that xmic decodes; the call decodes them and counts the frames."""
    container, stream = open_stream(work.path, USUAL)
    index = read_index(container, stream, lambda: None)
    visible = np.sort(index.pts)
    runs = plan_runs(index, index.positions(visible[sorted({n for clip in work.clips for n in clip})]))
    container.seek(0, stream=stream)
    packets = [packet for packet in demuxed(container, stream) if packet.size]
    context = stream.codec_context
    may_skip = context.name in NONREF_IS_FINAL

    def decode() -> int:
        frames = 0
        for run in runs:
            context.flush_buffers()
            context.skip_frame, skipping = "DEFAULT", False
            for position in range(run.start, run.stop):
                skip = may_skip and position not in run.wanted and not index.restart[position]
                if skip != skipping:
                    context.skip_frame, skipping = ("NONREF" if skip else "DEFAULT"), skip
                frames += len(context.decode(packets[position]))
            frames += len(context.decode(None))
        return frames

    return decode


def plainly_decoded(work: Work) -> list[np.ndarray]:
    """The wanted pictures, by decoding the whole file in order and counting."""
    wanted = {number for clip in work.clips for number in clip}
    with av.open(str(work.path)) as container:
        frames = container.decode(video=0)
        return [
            frame.to_ndarray(format="rgb24", width=work.size[0], height=work.size[1], interpolation="AREA")
            for number, frame in enumerate(frames)
            if number in wanted
        ]


def wrong_frames(pictures: Pictures, expected: list[np.ndarray]) -> int:
    """How many pictures show another frame than the wanted one, or are not there."""
    wrong = [
        got.shape != want.shape or bool(cv2.absdiff(np.ascontiguousarray(got), want).mean() > OTHER_FRAME)
        for got, want in zip(pictures, expected, strict=False)
    ]
    return sum(wrong) + len(expected) - len(wrong)


def cpu_seconds(act: Callable[[], Any]) -> float:
    start = time.process_time()
    act()
    return time.process_time() - start


def measure(work: Work, names: list[str], rounds: int, order: random.Random) -> tuple[dict[str, float], dict[str, int]]:
    """Median CPU seconds of each rival and of the limit, and how many frames of each are wrong."""

    def read(name: str) -> None:
        deque(RIVALS[name][1](work), maxlen=0)  # keeps no picture while the next is made

    expected = plainly_decoded(work)
    wrong = {name: wrong_frames(RIVALS[name][1](work), expected) for name in names}
    bare = limit(work)
    bare()
    seconds: dict[str, list[float]] = {name: [] for name in ("limit", *names)}
    for _ in range(rounds):
        for name in order.sample(list(seconds), len(seconds)):
            seconds[name].append(cpu_seconds(bare if name == "limit" else lambda name=name: read(name)))
    return {name: statistics.median(values) for name, values in seconds.items()}, wrong


def row_of(work: Work, seconds: dict[str, float], wrong: dict[str, int]) -> list[str]:
    """A row of the table."""
    cells = [work.video.name, str(work.candidates), f"{seconds['limit']:.2f}"]
    for name in RIVALS:
        text = f"{seconds[name]:.2f}" if name in seconds else "missing"
        cells.append(text + (f" ({wrong[name]} wrong)" if wrong.get(name) else ""))
    peers = [(value, name) for name, value in seconds.items() if name not in ("limit", "xmic") and not wrong[name]]
    best = f"{min(peers)[0] / seconds['xmic']:.2f} × ({min(peers)[1]})" if peers else "no peer"
    return [*cells, f"{seconds['limit'] / seconds['xmic']:.2f}", best]


COLUMNS = ("file", "candidates", "limit s", *(f"{name} s" for name in RIVALS), "limit / xmic", "best peer / xmic")


def machine() -> str:
    """Processor, Python and versions of all rivals."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        processor = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        processor = platform.machine()
    found = []
    for name in ("av", *PEERS, "torch"):
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{name} missing")
    return f"One thread of {processor} ({os.cpu_count()} shared), Python {platform.python_version()}; " + ", ".join(
        found
    )


def page(rows: list[list[str]], text: str) -> str:
    """The report."""
    lines = [
        "# Decoding beside its peers",
        "",
        "Written by `python -m benchmarks.decode_peers --report benchmarks/decode.md`: medians of CPU seconds. The",
        "text at the top of the program says what is measured. Where the last column is below 1, a peer is faster",
        "than `xmic`. A peer with wrong frames does not count as the best.",
        "",
        text,
        "",
        markdown_table(COLUMNS, rows),
    ]
    return "\n".join(lines) + "\n"


def run(arguments: argparse.Namespace) -> int:
    """Measure every cell; print each as it comes."""
    cv2.setNumThreads(1)
    av.logging.set_level(av.logging.PANIC)
    if arguments.report and arguments.quick:
        raise UsageError("--report keeps numbers, and those of --quick mean nothing; leave one of them out")
    names = [name for name, (package, _) in RIVALS.items() if importlib.util.find_spec(package)]
    for name in RIVALS:
        if name not in names:
            print(f"{name}: not installed, so it is missing below; pip install -e '.[bench]'")
    videos = (VIDEOS[0], VIDEOS[3]) if arguments.quick else VIDEOS
    rounds = 1 if arguments.quick else arguments.rounds
    seconds = 2 * CLIP_EVERY_S if arguments.quick else arguments.clips * CLIP_EVERY_S
    order, rows = random.Random(0), []
    print(f"| {' | '.join(COLUMNS)} |", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for video in videos:
            path = Path(folder) / "video.mp4"
            write_video(path, video, seconds)
            for candidates in (1,) if arguments.quick else (1, 3):
                work = Work(path, video, wanted_clips(seconds, candidates), candidates)
                rows.append(row_of(work, *measure(work, names, rounds, order)))
                print(f"| {' | '.join(rows[-1])} |", flush=True)
    about = f"{len(work.clips)} clips of {CLIP_S} s with 16 segments in each file, {rounds} rounds. {machine()}."
    print(about)
    return write_report(arguments.report, page(rows, about)) if arguments.report else 0


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.decode_peers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="two small files, two clips, one round; nothing kept")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--clips", type=int, default=10, metavar="N", help="clips in each file")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the table here too")
    return exit_code_of(lambda: run(parser.parse_args()), "stopped")


if __name__ == "__main__":
    sys.exit(main())
