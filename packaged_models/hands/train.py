"""Train xmic's hand model from random weights on drawn pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from packaged_models.hands.drawing.mesh import PACKAGE, fetch_mesh
from packaged_models.hands.drawing.photographs import read_photographs
from packaged_models.hands.pictures import A_FILE, DrawnPictures
from packaged_models.hands.style import restyled
from pipelines.engine.progress import Progress
from pipelines.hands.finetune.batches import Stage
from pipelines.hands.finetune.network import ARCHITECTURE
from pipelines.hands.finetune.train import Training, train_model
from pipelines.hands.model_file import read_model

STAGES = (Stage(0.5, 192, 0.5, 0.4), Stage(0.85, 256, 0.4, 0.4), Stage(1.0, 256, 0.1, 0.4))
"""Small inputs first: a picture of 192 pixels costs a little more than half of one of 256."""

CONTINUED = (Stage(0.8, 256, 0.4, 0.4), Stage(1.0, 256, 0.1, 0.3))
"""Stages of a training that starts from a trained model, at half the learning rate."""


def train_packaged(
    work: Path,
    into: Path,
    seed: int,
    budget: int,
    pictures: int,
    photographs: Path | None,
    start: Path | None,
    workers: int,
    progress: Progress,
) -> dict[str, Any]:
    """Train the packaged hand model and write its files.

    It fetches the hand, draws the pictures, trains, and writes ``hands.safetensors`` and ``hands.yaml``. Run it again
    after
    a stop: drawings are kept, and the training goes on from its last checkpoint.

    Args:
        work: folder of the hand, the drawings and the checkpoint.
        into: folder of the finished model.
        seed: seed of pictures, weights and batches.
        budget: number of pictures that the training sees, repeated ones counted again.
        pictures: number of different pictures to draw, rounded up to whole files of 200.
        photographs: folder of photographs without hands, behind and between the drawn ones; None draws everything.
        start: the .safetensors of a model that this command made, to go on from; None starts from random weights.
        workers: number of processes that draw.
        progress: updated with drawing and training.

    Returns:
        The result of :func:`pipelines.hands.finetune.train.train_model`.

    Raises:
        MissingUpstream: the hand does not exist and cannot be fetched.
        InputError: the checkpoint is one of another training; the photographs are not fit
            (:func:`packaged_models.hands.drawing.photographs.read_photographs`); or ``start`` is no such model.
    """
    behind = None if photographs is None else read_photographs(photographs)
    model = None if start is None else read_model(start)
    drawn = DrawnPictures(work, fetch_mesh(work), seed, -(-pictures // A_FILE), photographs)
    drawn.draw(workers, progress)
    training = Training(budget, STAGES, seed) if model is None else Training(budget, CONTINUED, seed, lr=1e-3)
    trained_on = {"pictures": f"{len(drawn)} drawn ones of seed {seed}", "hand": PACKAGE}
    if behind is not None:
        trained_on["photographs"] = f"{len(behind)} of digest {behind.digest}"
    if model is not None:
        trained_on["start"] = model.sha256
    checkpoint = None if model is None else model.checkpoint
    return train_model(
        work, drawn, training, ARCHITECTURE, checkpoint, into / "hands.safetensors", progress, trained_on, restyled
    )
