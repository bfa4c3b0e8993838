"""How much reading only the needed groups of pictures saves against decoding a file from start to end.

    python benchmarks/decode.py [--quick]

Writes a 256-pixel H.264 video at 59.94 frames per second with groups of 12, wants 16 frames in each of ten clips of
3.5 s, and reads them in both modes, in turn. The pictures must be equal to the bit. Prints times and the ratio;
machines are noisy, so quote the ratio. The reference mode decodes the file twice: once to learn which frames are
displayed and whole, once for the pictures.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from pipelines.decode.plan import FramePlan
from pipelines.decode.reader import open_video

FPS = Fraction(60000, 1001)


def write_video(path: Path, seconds: float) -> None:
    """A moving texture, so that there is something to predict."""
    texture = np.random.default_rng(0).integers(0, 256, (512, 912, 3), np.uint8)
    with av.open(str(path), "w") as container:
        options = {"preset": "veryfast", "x264-params": "keyint=12:min-keyint=12:scenecut=0"}
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = 456, 256, "yuv420p"
        for index in range(round(float(FPS) * seconds)):
            x, y = index * 2 % 456, index % 256
            picture = np.ascontiguousarray(texture[y : y + 256, x : x + 456])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def read(path: Path, clips: list[float], *, forward: bool) -> tuple[float, dict[int, bytes]]:
    """Seconds to open the video and read the frames of all clips, and the frames."""
    start = time.perf_counter()
    with open_video(path, forward=forward) as reader:
        times = np.concatenate([FramePlan().times(begin, begin + 3.5).reshape(-1) for begin in clips])
        frames = {f.pts: f.rgb.tobytes() for f in reader.frames(np.unique(reader.select(times).pts).tolist())}
        assert reader.fallback is None, reader.fallback
    return time.perf_counter() - start, frames


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="15 s of video and one round")
    quick = parser.parse_args().quick
    seconds, rounds = (15.0, 1) if quick else (60.0, 5)
    clips = [i * seconds / 10 for i in range(10) if i * seconds / 10 + 3.5 < seconds]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        write_video(path, seconds)
        ratios = []
        for _ in range(rounds):
            gop_s, gop = read(path, clips, forward=False)
            forward_s, plain = read(path, clips, forward=True)
            assert gop == plain, "the two modes must give the same pictures"
            ratios.append(forward_s / gop_s)
            print(f"gop {gop_s:.2f} s, forward {forward_s:.2f} s: {ratios[-1]:.2f} times as fast ({len(gop)} frames)")
    print(f"median of {rounds}: {statistics.median(ratios):.2f} times as fast")


if __name__ == "__main__":
    main()
