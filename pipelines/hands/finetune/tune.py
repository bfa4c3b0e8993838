"""Fine-tune a hand model on a user's own pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_manifests.errors import InputError, UsageError
from pipelines.engine.digest import whole_file_sha256
from pipelines.engine.progress import Progress
from pipelines.hands.finetune.batches import Stage
from pipelines.hands.finetune.pictures import Pictures
from pipelines.hands.finetune.train import Training, train_model
from pipelines.hands.hand_classes import hand_classes
from pipelines.hands.model_file import find_weights
from pipelines.hands.yolo_network import read_weights

_BATCH = 16
_RATE = 5e-4


def tune_model(
    pictures: Pictures,
    weights: Path | None,
    into: Path,
    epochs: int,
    image_size: int | None,
    seed: int,
    offline: bool,
    progress: Progress,
    taught_by: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Fine-tune a hand model on a user's pictures and write it.

    Writes ``hands.safetensors`` and ``hands.yaml``; checkpoint and log are kept in ``into/work``.

    Args:
        pictures: the labelled pictures; one of their classes must be a hand.
        weights: see :func:`pipelines.hands.model_file.find_weights`. Where the classes differ, the last layers start
            at random.
        into: folder of the finished model.
        epochs: number of times each picture is seen.
        image_size: side of the square input, pixels; by default that of the weights.
        seed: seed of the batches.
        offline: never fetch weights.
        progress: notified of each step.
        taught_by: description of the detector that made the labels, where one did; part of what the training is.

    Returns:
        See :func:`pipelines.hands.finetune.train.train_model`.

    Raises:
        InputError: the weights are not a detection model, no class is a hand, or the checkpoint in ``into/work`` is of
            another training: other settings, pictures or boxes.
        UsageError: the image size is not a multiple of 32.
    """
    file = find_weights(weights, offline)
    start, own_size = read_weights(file)
    size = own_size if image_size is None else image_size
    if size % 32:
        raise UsageError(f"--image-size {size}: it must be a multiple of 32, such as 320 or 640.")
    hand_classes("the pictures", pictures.names, None, "Give the hands' classes names with hand in them, as left hand.")
    if start.config["head"][-1][2] != "Detect":
        raise InputError(f"{file}: ends in {start.config['head'][-1][2]}; xmic trains networks that end in Detect.")
    architecture = {**start.config, "nc": len(pictures.names)}
    stages = (Stage(0.8, size, 0.3), Stage(1.0, size, 0.0))
    training = Training(epochs * len(pictures), stages, seed, min(_BATCH, len(pictures)), _RATE)
    trained_on: dict[str, Any] = {"pictures": f"{len(pictures)} of a user", "from": whole_file_sha256(file)}
    if taught_by is not None:
        trained_on["teacher"] = dict(taught_by)
    return train_model(
        into / "work", pictures, training, architecture, start, into / "hands.safetensors", progress, trained_on
    )
