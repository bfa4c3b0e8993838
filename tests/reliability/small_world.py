"""A dataset of three short drawn videos, and the command lines that take it from its table to an export.

Everything is made here, and each command takes about a second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.pipelines.towered_encoder import SPEC
from tests.video_maker import make_video

_ACTIONS = (("cut", "bread"), ("stir", "pot"), ("open", "jar"))
_CLIPS = (
    *(("train0.mp4", start, "train") for start in (0, 0.5)),
    *(("train1.mp4", start, "train") for start in (0, 0.5)),
    *(("val0.mp4", start, "val") for start in (0, 0.25, 0.5)),
)
_ON = ("--device", "cpu", "--workers", "2", "--offline")


@dataclass(frozen=True)
class SmallWorld:
    """Folders of the dataset, of the workspace and of what lies beside it."""

    folder: Path

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def inputs(self) -> Path:
        return self.folder / "inputs"

    @property
    def exported(self) -> Path:
        return self.folder / "exported"

    @property
    def answers(self) -> Path:
        return self.folder / "answers.csv"

    def draw(self) -> None:
        """Write the videos, the table of clips and that of hand boxes."""
        self.inputs.mkdir(parents=True)
        videos = list(dict.fromkeys(video for video, _, _ in _CLIPS))
        for number, video in enumerate(videos):
            make_video(self.inputs / video, seconds=1, fps=12, start_pts=number)
        rows = ["video,start_s,stop_s,verb,noun,split"]
        for number, (video, start, split) in enumerate(_CLIPS):
            verb, noun = _ACTIONS[number % len(_ACTIONS)]
            rows.append(f"{video},{start},{start + 0.5},{verb},{noun},{split}")
        (self.inputs / "clips.csv").write_text("\n".join(rows) + "\n")
        boxes = ["video,time_s,x0,y0,x1,y1,score"]
        boxes += [f"{video},{n / 10},0.2,{0.1 + n / 50},0.7,0.9,0.9" for video in videos for n in range(10)]
        (self.inputs / "boxes.csv").write_text("\n".join(boxes) + "\n")

    @property
    def stages(self) -> Mapping[str, Sequence[str]]:
        """Stage → its command line, in the order of the chain."""
        boxes = ("--boxes", str(self.inputs / "boxes.csv"))
        settings = ("--set", "epochs=2", "--set", "batch=2", "--set", "warmup_epochs=0")
        lines: dict[str, Sequence[str]] = {
            "prepare": ("prepare", "table", str(self.inputs / "clips.csv"), "--name", "mine"),
            "decode": ("decode", "mine", "--segments", "2", *_ON),
            "detect-hands": ("detect-hands", "mine", "--detector", "boxes", *boxes, *_ON),
            "embed": ("embed", "mine", "--encoder", SPEC, "--no-text", *_ON),
            "embed text": ("embed", "mine", "--encoder", SPEC, *_ON),
            "train": ("train", "mine", "--encoder", SPEC, "--checkpoint-minutes", "0", *settings, *_ON),
            "evaluate": ("evaluate", "--split", "val", *_ON),
            "report": ("report",),
            "export": ("export", "--into", str(self.exported)),
            "predict": ("predict", str(self.inputs / "val0.mp4"), "--out", str(self.answers), *boxes, *_ON),
            "gc": ("gc", "--yes"),
        }
        return {name: (*line, "-w", str(self.work)) for name, line in lines.items()}


def call(line: Sequence[str]) -> Callable[[], int]:
    """Return a function that runs a command line in this process and returns its exit code."""

    def run() -> int:
        from xmic_cli.app import run as run_line

        return run_line(list(line))

    return run
