"""A small chain for a local Ray cluster: a dataset in several shards, a detector and stages that end their workers."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.engine.workspace import DatasetSettings, Workspace
from pipelines.hands.detector import DetectorIdentity
from tests.pipelines import seeing_encoder
from tests.pipelines.embedded_world import FakeDetector

DETECTOR = "tests.pipelines.chain.ray_world:OwnDetector"
GROUPS = 6


class OwnDetector(FakeDetector):
    """The fake detector, as a user's own class."""

    def __init__(
        self, weights: Any = None, hand_class: Any = None, batch_size: int = 16, device: str = "cpu", **more: Any
    ) -> None:
        pass

    @classmethod
    def describe(cls, **options: Any) -> DetectorIdentity:
        """The same whatever the options."""
        return DetectorIdentity("own-00000000", {"detector": DETECTOR}, {})


def write_chain(folder: Path, make_video: Callable[..., int], seeds: int = 2) -> Path:
    """Draw the videos and write the xmic.toml of a grid; the file."""
    rows = ["video,start_s,stop_s,verb,noun,split"]
    (folder / "videos").mkdir(parents=True)
    for split, count in (("train", 8), ("val", 5)):
        for index in range(count):
            verb, noun = (("cut", "bread"), ("stir", "pan"), ("open", "jar"))[index % 3]
            make_video(folder / "videos" / f"{split}{index}.mp4", seconds=1, fps=12, start_pts=index)
            rows.append(f"{split}{index}.mp4,0,1,{verb},{noun},{split}")
    (folder / "clips.csv").write_text("\n".join(rows) + "\n")
    file = folder / "xmic.toml"
    file.write_text(
        f"""
        workspace = "work"
        [[dataset]]
        name = "mine"
        reader = "table"
        files = ["clips.csv"]
        videos = ["videos"]
        [decode]
        segments = 4
        [hands]
        detector = "{DETECTOR}"
        [embed]
        encoder = "{seeing_encoder.SPEC}"
        [[train]]
        seed = {list(range(seeds))}
        set = {{ epochs = 1, batch = 4, warmup_epochs = 0 }}
        """
    )
    return file


def open_split(root: Path, videos: Path) -> Workspace:
    """A workspace whose dataset will be in several shards, though it is small."""
    workspace = Workspace.open(root)
    with workspace.changing():
        workspace.datasets["mine"] = DatasetSettings("table", (str(videos),), GROUPS)
    return workspace


def slowly(group: str, row: int) -> None:
    """Take a moment for each batch."""
    time.sleep(0.1)


def deadly(group: str, row: int) -> None:
    """End the process that makes group b, as a killer of processes without memory does."""
    if group == "b":
        os._exit(1)


def buggy(group: str, row: int) -> None:
    """Meet a mistake in the program."""
    raise ZeroDivisionError("of this test")
