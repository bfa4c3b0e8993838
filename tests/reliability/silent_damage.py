"""Flip one bit of the coded frames of videos and JPEGs, and count the damage that nobody notices.

Each flip is in the data of a frame, never in the container. A damaged frame is silent where xmic stores it although it
differs from that of the intact file.

    python -m tests.reliability.silent_damage --flips 200 --seed 0 --write
"""

from __future__ import annotations

import argparse
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from pipelines.decode.encode_jpeg import from_jpeg, to_jpeg
from pipelines.decode.jpeg_source import open_jpegs
from pipelines.decode.media_rules import MediaRules, VideoError
from pipelines.decode.plan import FramePlan
from pipelines.decode.reader import VideoReader, open_video
from pipelines.decode.source import StoredFrame
from tests.video_maker import draw_frame, make_video

PAGE = Path(__file__).parents[2] / "docs" / "media.md"
BEGIN, END = "<!-- silent damage: written by tests/reliability/silent_damage.py -->", "<!-- end -->"
CODECS = {
    "H.264": ("v.mp4", "libx264"),
    "HEVC": ("v.mp4", "libx265"),
    "VP8": ("v.webm", "libvpx"),
    "VP9": ("v.webm", "libvpx-vp9"),
    "MPEG-4": ("v.mp4", "mpeg4"),
    "Motion JPEG": ("v.avi", "mjpeg"),
}
JPEGS = "JPEG pictures"
_USUAL, _STRICT = MediaRules(), MediaRules(strict=True)


_ABOUT = """
One bit of the coded data of a frame was flipped, never of the container. A flip is silent where a stored frame differs
from that of the intact file:"""


@dataclass
class Count:
    """What became of the flips of a codec.

    Attributes:
        flips: their number.
        harmless: no frame differs, and none is lost.
        silent: some stored frame differs, as xmic reads by default.
        strict: the same with ``--strict-media``.
    """

    flips: int = 0
    harmless: int = 0
    silent: int = 0
    strict: int = 0

    def add(self, wrong: bool, lost: bool, wrong_strict: bool) -> None:
        """Count a flip."""
        self.flips += 1
        self.harmless += not wrong and not lost
        self.silent += wrong
        self.strict += wrong_strict


def count_video(kind: str, flips: int, seed: int, folder: Path) -> Count:
    """Flip bits of a video, and compare every frame that xmic stores with that of the intact file."""
    name, codec = CODECS[kind]
    file, found, dice = folder / name, Count(), random.Random(f"{seed} {kind}")
    make_video(file, codec=codec, seconds=1, size=(192, 128), gop=15)
    with av.open(str(file)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    good, intact = file.read_bytes(), _frames(file, _USUAL)
    for _ in range(flips):
        position, size = dice.choice(places)
        data = bytearray(good)
        data[position + dice.randrange(size)] ^= 1 << dice.randrange(8)
        file.write_bytes(data)
        usual, strict = _frames(file, _USUAL), _frames(file, _STRICT)
        found.add(_differ(usual, intact), len(usual) < len(intact), _differ(strict, intact))
    return found


def count_jpegs(flips: int, seed: int, folder: Path) -> Count:
    """Flip bits of the coded part of JPEGs of a folder of pictures."""
    dice, found = random.Random(f"{seed} {JPEGS}"), Count()
    folder.mkdir()
    pictures = {number: to_jpeg(draw_frame(number, (192, 128)), 90) for number in range(1, flips + 1)}
    for number, good in pictures.items():
        data, coded = bytearray(good), good.index(b"\xff\xda") + 14
        data[dice.randrange(coded, len(good) - 2)] ^= 1 << dice.randrange(8)
        (folder / f"frame_{number}.jpg").write_bytes(data)
    stored = {}
    for rules in (_USUAL, _STRICT):
        with open_jpegs(folder, None, None, lambda: None, rules) as source:
            frames = [frame for frame in source.frames(pictures, FramePlan()) if isinstance(frame, StoredFrame)]
        stored[rules] = {
            frame.pts: not np.array_equal(from_jpeg(frame.jpeg), from_jpeg(pictures[frame.pts])) for frame in frames
        }
    for number in pictures:
        usual, strict = stored[_USUAL].get(number), stored[_STRICT].get(number)
        found.add(bool(usual), usual is None, bool(strict))
    return found


def _frames(file: Path, rules: MediaRules) -> dict[int, np.ndarray]:
    try:
        with open_video(file, rules=rules) as reader:
            return {frame.pts: frame.rgb for frame in reader.frames(_all(reader), 0)}
    except VideoError:
        return {}


def _all(reader: VideoReader) -> np.ndarray:
    """The pts of every frame."""
    return np.unique(reader.select(np.arange(0, reader.info.duration_s, 0.5 / 30)).pts)


def _differ(frames: dict[int, np.ndarray], intact: dict[int, np.ndarray]) -> bool:
    return any(pts not in intact or not np.array_equal(rgb, intact[pts]) for pts, rgb in frames.items())


def table(counts: dict[str, Count], seed: int) -> str:
    """The table of the page."""
    lines = [
        "| codec | flipped bits | without effect | silent by default | silent with `--strict-media` |",
        "|---|--:|--:|--:|--:|",
        *(f"| {kind} | {one.flips} | {one.harmless} | {one.silent} | {one.strict} |" for kind, one in counts.items()),
    ]
    libraries = ".".join(str(part) for part in av.library_versions["libavcodec"])
    say = f"Seed {seed}, PyAV {av.__version__} with libavcodec {libraries}."
    return "\n".join([BEGIN, _ABOUT, "", *lines, "", say, "", END])


def main() -> None:
    """Count the silent damage of every codec."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=200, help="of each codec")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="write the table of docs/media.md")
    given = parser.parse_args()
    av.logging.set_level(None)
    counts = {}
    with tempfile.TemporaryDirectory(prefix="silent-") as place:
        for number, kind in enumerate(CODECS):
            (Path(place) / str(number)).mkdir()
            counts[kind] = count_video(kind, given.flips, given.seed, Path(place) / str(number))
            print(kind, counts[kind], flush=True)
        counts[JPEGS] = count_jpegs(given.flips, given.seed, Path(place) / "jpegs")
        print(JPEGS, counts[JPEGS], flush=True)
    if given.write:
        text = PAGE.read_text("utf-8")
        before, after = text.split(BEGIN)[0], text.split(END)[1]
        PAGE.write_text(before + table(counts, given.seed) + after, "utf-8")


if __name__ == "__main__":
    main()
