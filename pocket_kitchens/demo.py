"""Run the default chain end to end on a small drawn world.

The chain runs on both of the world's datasets and gives one table.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np

from pipelines.chain.grid import read_cells
from pipelines.chain.run import ChainResult, Stop, never, run_chain
from pipelines.decode.encode_jpeg import to_jpeg
from pipelines.engine.atomic import replace_atomically
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Progress
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.options import Control
from pipelines.evaluate.run import evaluate
from pipelines.evaluate.trained import TrainedRun, find_run, targets_of
from pipelines.predict.annotate import annotate
from pipelines.predict.load import load_run
from pipelines.report.pictures import add_picture, caption_of
from pipelines.report.write import write_report
from pocket_kitchens.build import FORMS, BuiltWorld, build_world
from pocket_kitchens.drawing.domains import EGO4D
from pocket_kitchens.world import SIZES, plan_world

WORLD, CONFIG = "world", "xmic.toml"
SEED = 0
PREDICTS = EGO4D
"""Domain of the video that is answered, by the X-MIC run that was trained on it."""

_WINDOW_S, _QUALITY = 3.0, 90
_PICTURE = "prediction"


@dataclass(frozen=True)
class DemoResult:
    """World, chain results, controls and configuration of a demo.

    Attributes:
        world: the world that was built.
        chain: result of each part of the chain; its report holds the table.
        controls: number of evaluations of the X-MIC runs on shuffled or reversed frames that this call made.
        predictor: name of the X-MIC run that answers a video, as ``xmic predict`` does.
        predicted: path of that video.
        config: path of the file with which ``xmic run`` does the same, without controls and prediction.
    """

    world: BuiltWorld
    chain: ChainResult
    controls: int
    predictor: str
    predicted: str
    config: str

    @property
    def made(self) -> int:
        """Number of videos, shards, heads and evaluations made by this call.

        It is 0 when everything existed already.
        """
        return self.world.made + self.chain.made + self.controls


def run_demo(
    folder: Path,
    size: str,
    machine: Machine,
    progress: Progress,
    stop: Stop = never,
) -> DemoResult:
    """Build the world and run the chain on it.

    The X-MIC runs are evaluated on shuffled and on reversed frames too. One of them answers a video that no training
    has seen; a picture of that is shown by the report. A second run makes only what is missing.

    Args:
        folder: folder of the world, the configuration and the workspace.
        size: size of the world, a key of :data:`pocket_kitchens.world.SIZES`.
        machine: workers and device.
        progress: updated with each part.
        stop: as in :func:`pipelines.chain.run.run_chain`.

    Raises:
        XmicError: as :func:`pocket_kitchens.build.build_world` and :func:`pipelines.chain.run.run_chain`.
    """
    world = build_world(folder / WORLD, size, SEED, machine.workers, progress)
    file = folder / CONFIG
    text = demo_config()
    if not file.is_file() or file.read_text(encoding="utf-8") != text:
        with replace_atomically(file) as temporary:
            temporary.write_text(text, encoding="utf-8")
    cells = read_cells(file)
    chain = run_chain(cells, machine, progress, stop, report=False)
    config = cells[0].config
    workspace = Workspace.open(config.workspace)
    runs = [find_run(workspace, trained["run"]) for trained in chain.runs]
    ours = {run.config["source"]["dataset"]: run for run in runs if run.config["method"] == "xmic"}
    controls = sum(_reordered(workspace, run, config.evaluate.cross, machine, progress) for run in ours.values())
    video = _first_test_video(folder / WORLD, size)
    _predict(workspace, ours[PREDICTS.name], video, machine, progress, config.report.name)
    report = write_report(workspace, config.report.name)
    name = ours[PREDICTS.name].config["name"]
    return DemoResult(world, replace(chain, report=report), controls, name, str(video), str(file))


def _reordered(
    workspace: Workspace, run: TrainedRun, cross: Sequence[str], machine: Machine, progress: Progress
) -> int:
    """Evaluate a run on shuffled and on reversed frames; return how many evaluations were made."""
    targets, _ = targets_of(workspace, run, cross, None)
    orders = (Control(order="shuffled"), Control(order="reversed"))
    found = [evaluate(workspace, run, targets, machine, progress, control=control) for control in orders]
    return sum(item.made for items in found for item in items)


def _first_test_video(folder: Path, size: str) -> Path:
    planned = next(video for video in plan_world(PREDICTS, SIZES[size], SEED) if video.split == "test")
    path: Path = folder / FORMS[PREDICTS.name].video_path(planned)
    return path


def _predict(
    workspace: Workspace, run: TrainedRun, video: Path, machine: Machine, progress: Progress, report: str
) -> None:
    """Answer a video in windows, and put a picture of the annotated video beside the report.

    The caption names the run, whose name holds a hash of what it was trained on: an equal caption is an equal picture.
    """
    name = run.config["name"]
    caption = (
        f"xmic predict {video.name} --run {name} --window {_WINDOW_S:g} --annotate FOLDER: X-MIC trained on "
        f"{PREDICTS.name} answers a drawn video that no training has seen. The boxes are those of the packaged hand "
        "model; below are the crop that the encoder got, the best words, and the segments of the video."
    )
    folder_of_report = workspace.report(report)
    if caption_of(folder_of_report, _PICTURE) == caption:
        return
    predictor = load_run(workspace.root, name, machine=machine, progress=progress)
    footage = predictor.embed([video], window_s=_WINDOW_S)
    answers = predictor.predict(footage)
    with tempfile.TemporaryDirectory() as folder:
        film, *_ = annotate(footage, answers, Path(folder), progress)
        jpeg = to_jpeg(_middle_of_first_clip(film), _QUALITY)
    add_picture(folder_of_report, _PICTURE, jpeg, caption)


def _middle_of_first_clip(video: Path) -> np.ndarray:
    """Return the frame in the middle of the first window, RGB uint8 [H, W, 3]."""
    with av.open(str(video)) as container:
        for frame in container.decode(video=0):
            if frame.time is not None and frame.time >= _WINDOW_S / 2:
                break
        shown: np.ndarray = frame.to_ndarray(format="rgb24")
    return shown


def demo_config() -> str:
    """Return the text of the demo's ``xmic.toml``.

    It lists both datasets, and zero-shot CLIP and X-MIC trained on each.
    """
    datasets = "\n".join(
        _DATASET.format(
            name=name,
            annotations=f"{WORLD}/{form.ANNOTATIONS}",
            videos=f"{WORLD}/{form.VIDEOS}",
        )
        for name, form in FORMS.items()
    )
    runs = "\n".join(
        _RUN.format(method=method, dataset=dataset, more=more)
        for dataset in ("epic", "ego4d")
        for method, more in (("zero-shot", 'classify = "hand"\n'), ("xmic", _XMIC))
    )
    return f"{_HEAD}\n{datasets}\n{_EMBED}\n{runs}"


_HEAD = """\
# Written by xmic demo; xmic run does the same with it.
workspace = "work"
"""
_DATASET = """\
[[dataset]]
name = "{name}"
reader = "{name}"
annotations = "{annotations}"
videos = ["{videos}"]
"""
_EMBED = """\
# Eight frames per clip, and training on these: a sixth of the default, which draws one of three per segment and epoch
# from 16 segments.
[decode]
segments = 8
candidates = 1

# The hand model that comes with xmic. The world's true boxes are in world/boxes/, for --detector boxes.
[hands]
detector = "yolo"

[embed]
encoder = "pocket"

[evaluate]
cross = ["epic", "ego4d"]
"""
# The paper's equations: the default, the released code, learns no verb from so few clips (docs/pocket-experiment.md).
# An epoch of so few clips would be a step or two: smaller batches, a shorter warm-up.
_XMIC = 'preset = "recommended"\nfixed_frames = true\nset = { batch = 8, warmup_epochs = 2 }\n'
_RUN = """\
[[train]]
method = "{method}"
dataset = "{dataset}"
{more}"""
