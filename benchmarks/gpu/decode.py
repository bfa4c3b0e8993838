"""Frames per second of decoding: on the CPU, and by a GPU's own decoder where PyAV or torchcodec reaches it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch

from benchmarks.gpu.timing import Row, per_second

SIZES = {"256p": (456, 256), "1080p": (1920, 1080)}
_FPS, _GROUP = 30, 25
_LARGEST_DIFFERENCE = 1


def measure(device: str, seconds: float, quick: bool = False) -> list[Row]:
    """Measure each way of decoding a drawn H.264 video.

    The GPU's frames are compared with the CPU's, in YUV as they were coded: they may differ by 1.
    """
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (width, height) in list(SIZES.items())[: 1 if quick else None]:
            file = Path(folder) / f"{name}.mp4"
            _write(file, width, height, _FPS if quick else 5 * _FPS)
            expected = [_planes(frame) for frame in _frames(file, None, threads=1)]
            for way, read in _ways(file, device).items():
                rows.append({"video": name, "way": way, **_measured(read, expected, seconds)})
    return rows


def _ways(file: Path, device: str) -> dict[str, Callable[[], Iterator[Any]] | str]:
    """Return way → function that reads all frames, or the reason why it cannot."""
    cuda = torch.device(device).type == "cuda"
    found: dict[str, Callable[[], Iterator[Any]] | str] = {
        "CPU, one thread": lambda: map(_planes, _frames(file, None, threads=1)),
        "CPU, all threads": lambda: map(_planes, _frames(file, None, threads=0)),
    }
    number = torch.device(device).index or 0
    found["NVDEC by PyAV"] = (
        (lambda: map(_planes, _frames(file, str(number), threads=1))) if cuda else "no CUDA device asked for"
    )
    if not cuda:
        found["NVDEC by torchcodec"] = "no CUDA device asked for"
    elif find_spec("torchcodec") is None:
        found["NVDEC by torchcodec"] = "torchcodec is not installed"
    else:
        found["NVDEC by torchcodec"] = lambda: _by_torchcodec(file, device)
    return found


def _measured(read: Callable[[], Iterator[Any]] | str, expected: list[np.ndarray], seconds: float) -> Row:
    if isinstance(read, str):
        return {"frames per second": None, "largest difference": None, "ok": None, "note": read}
    try:
        found = [frame for frame in read() if frame is not None]
    except Exception as error:  # of FFmpeg, CUDA and torchcodec, which raise their own where a decoder is missing
        note = " ".join(str(error).split())[:120]
        return {"frames per second": None, "largest difference": None, "ok": None, "note": note}
    worst = None
    if found and isinstance(found[0], np.ndarray):
        same = len(found) == len(expected)
        pairs = zip(found, expected, strict=False)
        worst = max(int(np.abs(a.astype(int) - b).max()) for a, b in pairs) if same else 255
    rate = per_second(lambda: sum(1 for _ in read()), torch.device("cpu"), seconds)
    good = None if worst is None else worst <= _LARGEST_DIFFERENCE
    return {"frames per second": round(rate, 1), "largest difference": worst, "ok": good, "note": ""}


def _write(file: Path, width: int, height: int, frames: int) -> None:
    """Write a moving texture."""
    texture = np.random.default_rng(0).integers(0, 256, (height + 64, width + 64, 3), np.uint8)
    with av.open(str(file), "w") as container:
        options = {"preset": "veryfast", "x264-params": f"keyint={_GROUP}:min-keyint={_GROUP}:scenecut=0"}
        stream = container.add_stream("libx264", rate=_FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(frames):
            x, y = index % 64, index // 2 % 64
            picture = np.ascontiguousarray(texture[y : y + height, x : x + width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def _frames(file: Path, gpu: str | None, threads: int) -> Iterator[av.VideoFrame]:
    options: dict[str, Any] = {}
    if gpu is not None:
        from av.codec.hwaccel import HWAccel

        options["hwaccel"] = HWAccel("cuda", device=gpu, allow_software_fallback=False)
    with av.open(str(file), **options) as container:
        stream = container.streams.video[0]
        if gpu is None:
            stream.thread_type, stream.codec_context.thread_count = "AUTO", threads
        yield from container.decode(stream)


def _planes(frame: av.VideoFrame) -> np.ndarray:
    """Return a frame as it was coded, YUV 4:2:0, uint8 [H × 3/2, W]."""
    return frame.reformat(format="yuv420p").to_ndarray()


def _by_torchcodec(file: Path, device: str) -> Iterator[Any]:
    """Decode to RGB on the device, which is not compared: it is converted otherwise."""
    from torchcodec.decoders import VideoDecoder

    return iter(VideoDecoder(str(file), device=device))
