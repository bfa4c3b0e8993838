"""Small trees of EPIC-KITCHENS-100, Ego4D v2 and EGTEA in their official layouts, with a hand model beside them.

The folders have the names that the documentation and ``examples/`` use.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from types import ModuleType

import torch

from pipelines.hands.yolo_network import import_ultralytics
from tests.data_manifests import ego4d_files, egtea_files, epic_files
from tests.pipelines.hands import hoa_files

_SIZE = 64
"""Longer side of what the hand model sees, pixels."""


def write_trees(folder: Path, video_maker: ModuleType) -> Path:
    """Write one training clip and one test clip of EPIC and of Ego4D, and one test clip of EGTEA."""
    _write_epic(folder, video_maker)
    _write_ego4d(folder, video_maker)
    _write_egtea(folder, video_maker)
    write_hand_model(folder / "hands.pt")
    return folder


def _write_epic(folder: Path, video_maker: ModuleType) -> None:
    """A video of two seconds for each clip, with the hand and object boxes of each of its frames."""
    times = {"start_timestamp": "00:00:00.10", "stop_timestamp": "00:00:01.90"}
    clips = {
        "train": [epic_files.row("P90_101_0", **times)],
        "val": [epic_files.row("P91_101_0", noun_class="1", verb_class="1", **times)],
    }
    epic_files.write_epic(folder / "epic-kitchens-100-annotations", clips)
    for name in ("P90_101", "P91_101"):
        place = folder / "EPIC-KITCHENS" / name[:3]
        (place / "videos").mkdir(parents=True)
        video_maker.make_video(folder / "video.mp4", fps=50, seconds=2)
        (folder / "video.mp4").rename(place / "videos" / f"{name}.MP4")
        touching = [hoa_files.hand((0.1, 0.1, 0.4, 0.4), 0.9, state=3, offset=(0.4, 0.4))]
        things = [hoa_files.thing((0.6, 0.6, 0.8, 0.8))]
        entries = [hoa_files.message(name, number, touching, things) for number in range(1, 101)]
        hoa_files.write(place / "hand-objects" / f"{name}.pkl", entries)


def _write_ego4d(folder: Path, video_maker: ModuleType) -> None:
    """Two clips of three seconds with a segment each, and a table of boxes."""
    times = {"action_clip_start_sec": 0.5, "action_clip_end_sec": 2.5}
    nouns, verbs = ["ladle", "anchor", "bolt", "rope"], ["stir", "tie"]
    segments = {
        split: [ego4d_files.entry(clip, noun=nouns[n], noun_label=n, verb=verbs[n], verb_label=n, **times)]
        for n, (split, clip) in enumerate({"train": "clip-a", "val": "clip-b"}.items())
    }
    root = folder / "ego4d_data" / "v2"
    ego4d_files.write_ego4d(root / "annotations", segments, nouns=nouns, verbs=verbs)
    (root / "clips").mkdir()
    rows = ["video,time_s,x0,y0,x1,y1,score"]
    for clip in ("clip-a", "clip-b"):
        video_maker.make_video(root / "clips" / f"{clip}.mp4", fps=30, seconds=3)
        rows += [f"{clip},{frame / 30},0.1,0.1,0.5,0.6,0.8" for frame in range(90)]
    (folder / "ego4d-boxes.csv").write_text("\n".join(rows) + "\n")


def _write_egtea(folder: Path, video_maker: ModuleType) -> None:
    egtea_files.write_egtea(folder / "action_annotation")
    place = folder / "EGTEA" / "cropped_clips" / egtea_files.SESSION
    place.mkdir(parents=True)
    video_maker.make_video(place / f"{egtea_files.clip()}.mp4", fps=24, seconds=1)


def write_hand_model(file: Path) -> Path:
    """Write a detection model of Ultralytics with random weights and a class hand, as its trainer saves one."""
    tasks = import_ultralytics("ultralytics.nn.tasks")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = tasks.DetectionModel("yolo11n.yaml", nc=1, verbose=False)
    network.names, network.args = {0: "hand"}, {"imgsz": _SIZE, "task": "detect"}
    torch.save({"epoch": 1, "model": None, "ema": deepcopy(network).half(), "version": "8.4"}, file)
    return file
