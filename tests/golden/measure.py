"""Measure what the packaged models and a small chain give, and keep it in ``numbers.json``.

    python -m tests.golden.measure

The tests compare with that file, so that no new version of a library moves a number unseen. Write it again only where
a number is meant to change, and say why in the commit.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from data_manifests.schema import Label
from pipelines.chain.grid import read_cells
from pipelines.chain.run import run_chain
from pipelines.embed.encoders import load_encoder
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.predictions_file import labelled_scores
from pipelines.hands.detector import load_detector
from pipelines.report.collect import PREDICTIONS, collect
from pocket_kitchens.build import FORMS, build
from pocket_kitchens.drawing.clip import render
from pocket_kitchens.drawing.domains import EGO4D, EPIC
from pocket_kitchens.world import Size, plan_world

NUMBERS = Path(__file__).with_name("numbers.json")
TEXTS = ("cut", "wash", "knife", "chopping board", "a photo of an onion")
SEED = 5

_PICTURES = (8, 14, 20)
"""Frames of a clip of each domain."""
_KEPT = 0.2
"""Least score of a box: the threshold of the packaged model."""
_DIGITS = 6

_CONFIG = """\
workspace = "work"
[decode]
segments = 4
candidates = 1
[hands]
detector = "yolo"
[embed]
encoder = "pocket"
[evaluate]
cross = ["ego4d"]
[[train]]
method = "zero-shot"
dataset = "epic"
classify = "hand"
[[train]]
dataset = "epic"
preset = "recommended"
fixed_frames = true
set = { batch = 8, warmup_epochs = 2, epochs = 6 }
"""


def pictures() -> list[np.ndarray]:
    """Three drawn frames of a clip of each domain, RGB uint8 [192, 256, 3]."""
    drawn = []
    for domain in (EPIC, EGO4D):
        clip = plan_world(domain, Size(2, 2, (2, 2)), SEED)[0].clips[0]
        drawn += [frame.rgb for frame in render(clip, domain, only=_PICTURES)]
    return drawn


def digest_of(drawn: list[np.ndarray]) -> str:
    """The pictures' sha256."""
    return hashlib.sha256(b"".join(picture.tobytes() for picture in drawn)).hexdigest()


def image_vectors(drawn: list[np.ndarray]) -> np.ndarray:
    """Raw vectors of the packaged encoder, float32 [N, D]."""
    encoder = load_encoder("pocket", precision="fp32", device="cpu", batch_size=len(drawn))
    return encoder.embed([encoder.preprocess(picture) for picture in drawn])


def text_vectors() -> np.ndarray:
    """Raw vectors of :data:`TEXTS`, float32 [N, D]."""
    return load_encoder("pocket", precision="fp32", device="cpu", batch_size=1).encode_texts(list(TEXTS))


def boxes(drawn: list[np.ndarray]) -> list[list[list[Any]]]:
    """Of each picture the boxes of the packaged hand model: corners, score and side."""
    found = load_detector("yolo", weights=None, device="cpu").detect(drawn)
    return [
        [[box.x0, box.y0, box.x1, box.y1, box.score, box.side] for box in of_picture if box.score >= _KEPT]
        for of_picture in found
    ]


def chain_numbers(folder: Path) -> dict[str, Any]:
    """Accuracies and losses of zero-shot and X-MIC on a small drawn world, and the losses of X-MIC's training."""
    world = folder / "world"
    build(world, Size(12, 16, (2, 3)), SEED, 2, Silent())
    datasets = [
        f'[[dataset]]\nname = "{name}"\nreader = "{name}"\nannotations = "world/{form.ANNOTATIONS}"\n'
        f'videos = ["world/{form.VIDEOS}"]\n'
        for name, form in FORMS.items()
    ]
    file = folder / "xmic.toml"
    file.write_text(_CONFIG + "".join(datasets), encoding="utf-8")
    run_chain(read_cells(file), Machine(2, "cpu", offline=True), Silent(), report=False)
    workspace = Workspace.open(folder / "work")
    collected = collect(workspace)
    evaluated = {
        f"{metrics.run.method} {metrics.target} {label}": {
            "top1": numbers.top1,
            "loss": _loss(evaluation, label),
            "clips": numbers.n_evaluated,
        }
        for metrics, evaluation in zip(collected.evaluations, collected.folders, strict=True)
        for label, numbers in metrics.labels.items()
    }
    trained = {}
    for log in sorted(workspace.runs.glob("xmic-*/*/metrics.jsonl")):
        trained[log.parent.name] = [json.loads(line)["loss"] for line in log.read_text("utf-8").splitlines()]
    return {"evaluated": evaluated, "trained": trained}


def _loss(evaluation: Path, label: Label) -> float:
    """Mean cross-entropy of an evaluation's scores."""
    found = labelled_scores(evaluation / PREDICTIONS, label)
    scores = found.scores.astype(np.float64)
    logs = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
    return float(-logs[np.arange(len(scores)), found.truth].mean())


def rounded(value: Any) -> Any:
    """Plain values with so many digits as are compared."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | np.ndarray):
        return [rounded(item) for item in value]
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float | np.floating) else value


def main() -> None:
    """Write the file."""
    drawn = pictures()
    with tempfile.TemporaryDirectory() as folder:
        found = {
            "pictures": digest_of(drawn),
            "image": image_vectors(drawn),
            "text": text_vectors(),
            "boxes": boxes(drawn),
            "chain": chain_numbers(Path(folder)),
        }
    lines = [f" {json.dumps(name)}: {json.dumps(rounded(value))}" for name, value in found.items()]
    NUMBERS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    sys.stdout.write(f"wrote {NUMBERS.name}\n")


if __name__ == "__main__":
    main()
