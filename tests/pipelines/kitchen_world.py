"""A small workspace with runs trained on it, by the packaged encoder and a table of boxes: for tests of predict."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_manifests.readers.table import TableReader
from pipelines.chain.stages import decode_stages, embed_stages, hands_stages
from pipelines.decode.options import DecodeOptions
from pipelines.embed.options import EmbedOptions
from pipelines.engine import stage
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.run import evaluate
from pipelines.evaluate.trained import find_run
from pipelines.hands.options import HandsOptions
from pipelines.predict import Predictor, load_run
from pipelines.prepare.stage import prepare
from pipelines.train.options import TrainOptions
from pipelines.train.plan import plan_run
from pipelines.train.run import train_run

MACHINE = Machine(1, "cpu", offline=True)
SEGMENTS = (("a.mp4", 0.0, 1.0), ("a.mp4", 0.5, 1.75), ("b.mp4", 0.25, 1.0), ("b.mp4", 0.0, 2.0), ("a.mp4", 1.0, 2.0))
"""The clips of the test split."""


@dataclass(frozen=True)
class Kitchen:
    """Where all of it is."""

    folder: Path
    xmic: str
    zero_shot: str

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def boxes(self) -> Path:
        return self.folder / "hand_boxes.csv"

    def video(self, name: str) -> Path:
        return self.folder / "videos" / name

    def load(self, run: str | None = None, **options: Any) -> Predictor:
        """A run ready for new footage, with the boxes where it looks at hands."""
        run = run or self.xmic
        boxes = {"boxes": self.boxes} if run == self.xmic else {}
        return load_run(self.work, run, machine=MACHINE, **{**boxes, **options})


def build(folder: Path, make_video: Any) -> Kitchen:
    """Prepare, decode, import boxes, embed, train and evaluate."""
    (folder / "videos").mkdir(parents=True)
    rows = ["video,start_s,stop_s,verb,noun,split"]
    for index, (verb, noun) in enumerate((("cut", "bread"), ("stir", "pot"), ("open", "jar"))):
        make_video(folder / "videos" / f"train{index}.mp4", seconds=1, fps=12)
        rows.append(f"train{index}.mp4,0,1,{verb},{noun},train")
    for name, offset in (("a.mp4", 0), ("b.mp4", 7)):
        make_video(folder / "videos" / name, seconds=2, fps=15, start_pts=offset)
    rows += [f"{video},{start},{stop},cut,bread,test" for video, start, stop in SEGMENTS]
    (folder / "clips.csv").write_text("\n".join(rows) + "\n")
    boxes = ["video,time_s,x0,y0,x1,y1,score"]
    for video in ("a", "b", "train0.mp4", "train1.mp4", "train2.mp4"):
        boxes += [f"{video},{n / 10},0.2,{0.1 + n / 50},0.7,0.9,0.9" for n in range(20)]
    # The dataset calls the videos by their file names, a user perhaps without the ending.
    boxes += [line.replace(f"{video},", f"{video}.mp4,") for video in "ab" for line in boxes if line[:2] == f"{video},"]
    (folder / "hand_boxes.csv").write_text("\n".join(boxes) + "\n")
    workspace = Workspace.open(folder / "work")
    reader = TableReader([(folder / "clips.csv", None)], roots=[folder / "videos"])
    prepare(workspace, "mine", reader, [folder / "videos"])
    options = (
        DecodeOptions(segments=4),
        HandsOptions("boxes", boxes=folder / "hand_boxes.csv"),
        EmbedOptions("pocket", batch_size=24),  # not the default: prediction must find it out
    )
    for build_stages, chosen in zip((decode_stages, hands_stages, embed_stages), options, strict=True):
        for item in build_stages(workspace, "mine", None, chosen, MACHINE):  # type: ignore[operator]
            stage.run(item)
    return Kitchen(
        folder,
        _train(workspace, TrainOptions("mine", set={"epochs": 1, "batch": 3, "warmup_epochs": 0})),
        _train(workspace, TrainOptions("mine", "zero-shot", classify="full")),
    )


def _train(workspace: Workspace, request: TrainOptions) -> str:
    planned = plan_run(workspace, request)
    train_run(workspace, planned, MACHINE, Silent())
    evaluate(workspace, find_run(workspace, planned.name), [("mine", "test")], MACHINE, Silent())
    return planned.name
