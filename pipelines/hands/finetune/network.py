"""Build the detection network and its loss for training.

Both are Ultralytics' own; its trainer is not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import torch

from pipelines.hands.finetune.batches import Batch
from pipelines.hands.yolo_network import import_ultralytics, quiet

_LOSS_WEIGHTS = {"box": 7.5, "cls": 0.5, "dfl": 1.5}
"""Weights of the box, class and distance losses: Ultralytics' own."""

ARCHITECTURE: dict[str, Any] = {
    "nc": 2,
    "scale": "n",
    "scales": {"n": [0.5, 0.25, 1024]},
    "backbone": [
        [-1, 1, "Conv", [64, 3, 2]],
        [-1, 1, "Conv", [128, 3, 2]],
        [-1, 2, "C3k2", [256, False, 0.25]],
        [-1, 1, "Conv", [256, 3, 2]],
        [-1, 2, "C3k2", [512, False, 0.25]],
        [-1, 1, "Conv", [512, 3, 2]],
        [-1, 2, "C3k2", [512, True]],
        [-1, 1, "Conv", [1024, 3, 2]],
        [-1, 2, "C3k2", [1024, True]],
        [-1, 1, "SPPF", [1024, 5]],
        [-1, 2, "C2PSA", [1024]],
    ],
    "head": [
        [-1, 1, "nn.Upsample", ["None", 2, "nearest"]],
        [[-1, 6], 1, "Concat", [1]],
        [-1, 2, "C3k2", [512, False]],
        [-1, 1, "nn.Upsample", ["None", 2, "nearest"]],
        [[-1, 4], 1, "Concat", [1]],
        [-1, 2, "C3k2", [256, False]],
        [-1, 1, "Conv", [256, 3, 2]],
        [[-1, 13], 1, "Concat", [1]],
        [-1, 2, "C3k2", [512, False]],
        [-1, 1, "Conv", [512, 3, 2]],
        [[-1, 10], 1, "Concat", [1]],
        [-1, 2, "C3k2", [1024, True]],
        [[16, 19, 22], 1, "Detect", ["nc"]],
    ],
}
"""YOLO11's smallest network (2.6 million parameters)."""


def make_network(architecture: Mapping[str, Any], classes: int, seed: int) -> Any:
    """Build a network with random weights.

    Args:
        architecture: as in an Ultralytics YAML.
        classes: number of classes.
        seed: seed of the weights.
    """
    tasks = import_ultralytics("ultralytics.nn.tasks")
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = tasks.DetectionModel(dict(architecture), nc=classes, verbose=False)
    network.args = SimpleNamespace(**_LOSS_WEIGHTS)
    return network.to(memory_format=torch.channels_last).train()


def loss_of(network: Any, batch: Batch) -> torch.Tensor:
    """Compute the loss per picture of a batch.

    It is the sum of box, class and distance losses.

    Returns:
        float32 ``[]``.
    """
    images = batch.images.float().div_(255).contiguous(memory_format=torch.channels_last)
    labels = {"img": images, "batch_idx": batch.owner, "cls": batch.classes, "bboxes": batch.boxes}
    # In bfloat16 a step takes half the time; the loss compares small differences and stays in float32.
    with torch.autocast("cpu", torch.bfloat16):
        answers = network.predict(images)
    precise = {name: _float(value) for name, value in answers.items()}
    found: torch.Tensor = network.loss(labels, precise)[0].sum() / len(images)
    return found


def _float(value: Any) -> Any:
    return value.float() if isinstance(value, torch.Tensor) else [part.float() for part in value]


def weight_groups(network: Any, decay: float) -> list[dict[str, Any]]:
    """Group the weights for the optimiser, with and without decay.

    Weights of convolutions decay, biases and norms do not.
    """
    decayed = [weight for weight in network.parameters() if weight.ndim > 1 and weight.requires_grad]
    others = [weight for weight in network.parameters() if weight.ndim <= 1 and weight.requires_grad]
    return [{"params": decayed, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
