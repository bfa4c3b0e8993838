"""Make everything a first run of the whole chain needs: clips, a tiny CLIP, a hand detector, an xmic.toml.

    python examples/first_chain.py FOLDER [--videos DIR]

Both models have RANDOM weights, made here from a fixed seed: the chain runs for real, its numbers mean nothing,
and the report says so. With --videos DIR the clips are those of DIR/labels.csv (columns
clip,start_s,stop_s,verb,noun); without it a few short videos are drawn.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from pathlib import Path

import av
import cv2
import numpy as np
import torch

from pipelines.hands.yolo_network import import_ultralytics

HERE = Path(__file__).resolve().parent
ACTIONS = [
    ("cut", "bread"),
    ("stir", "pan"),
    ("wipe", "counter"),
    ("open", "jar"),
]

CONFIG = """\
workspace = "work"

[[dataset]]
name = "first"
reader = "table"
files = ["train={labels}", "val={labels}"]
videos = ["{videos}"]
column = {{ video = "clip" }}

[hands]
weights = "random-hands.pt"
image_size = 320

[embed]
encoder = "open_clip:tiny-clip.json/random"
allow_random_weights = true
hand_threshold = 0.3
crop_margin = 0.1

[[train]]
method = "zero-shot"
classify = "full"

[[train]]
method = "xmic"
preset = "official"
set = {{ epochs = 3, batch = 8, warmup_epochs = 1 }}
"""


def draw_video(path: Path, verb: str, noun: str, seed: int) -> None:
    """A few seconds of a coloured thing on a table, moved by a pinkish blob."""
    generator = np.random.default_rng(seed)
    table = generator.integers(60, 200, 3)
    thing = tuple(int(v) for v in np.random.default_rng(len(noun) * 7919).integers(0, 255, 3))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "20"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for index in range(40):
            picture = np.full((240, 320, 3), table, np.uint8)
            picture = np.clip(picture + generator.normal(0, 6, picture.shape), 0, 255).astype(np.uint8)
            swing = np.sin(index / 40 * 2 * np.pi * len(verb))
            x, y = int(160 + 60 * swing), 130
            cv2.rectangle(picture, (x - 40, y - 25), (x + 40, y + 25), thing, -1)
            cv2.ellipse(picture, (x + 45, y + 40), (34, 46), 30, 0, 360, (205, 150, 125), -1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def draw_clips(folder: Path) -> Path:
    """Write the videos and their labels.csv; returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["clip", "start_s", "stop_s", "verb", "noun"])
        for number, (verb, noun) in enumerate(ACTIONS):
            draw_video(folder / f"clip{number}.mp4", verb, noun, number)
            rows.writerow([f"clip{number}.mp4", 0.0, 1.6, verb, noun])
    return folder


def write_random_detector(path: Path) -> None:
    """An untrained YOLO11n with one class, hand; its scores are raised so that some boxes pass the threshold."""
    tasks = import_ultralytics("ultralytics.nn.tasks")
    torch.manual_seed(0)
    model = tasks.DetectionModel("yolo11n.yaml", nc=1, verbose=False)
    model.names = {0: "hand"}
    with torch.no_grad():
        for branch in model.model[-1].cv3:
            branch[-1].weight.normal_(0, 0.3)
            branch[-1].bias.fill_(0.0)
    torch.save({"model": model.half(), "epoch": -1}, path)


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--videos", type=Path, help="folder with videos and a labels.csv")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    videos = arguments.videos.resolve() if arguments.videos else draw_clips(folder.resolve() / "videos")
    shutil.copy(HERE / "tiny-clip.json", folder / "tiny-clip.json")
    write_random_detector(folder / "random-hands.pt")
    (folder / "xmic.toml").write_text(CONFIG.format(labels=videos / "labels.csv", videos=videos))
    print(f"wrote {folder / 'xmic.toml'}; now run: xmic run {folder / 'xmic.toml'}")


if __name__ == "__main__":
    main()
