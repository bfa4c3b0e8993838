"""Build YOLO networks with Ultralytics from any weights.

Ultralytics is AGPL-3.0. It is imported in this file only, when a network is built.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from data_manifests.errors import InputError
from pipelines.hands.model_file import read_model
from pipelines.hands.yolo_checkpoint import Checkpoint, read_checkpoint

USUAL_SIZE = 640
"""Side of the input, in pixels, of a model that does not give one: Ultralytics' own."""


def read_weights(path: Path) -> tuple[Checkpoint, int]:
    """Read a weights file of either form, with its input size.

    Returns:
        The checkpoint, and the side of the input the model is meant for, in pixels.

    Raises:
        InputError: the file is of neither form.
    """
    if path.suffix != ".safetensors":
        found = read_checkpoint(path)
        return found, found.image_size or USUAL_SIZE
    model = read_model(path)
    return model.checkpoint, model.image_size


def build_network(path: Path, checkpoint: Checkpoint, end_to_end: bool) -> torch.nn.Module:
    """Build the network of a checkpoint and load its weights.

    The network is in float32, and ready for inference.

    Args:
        path: the file, for error messages.
        checkpoint: its content.
        end_to_end: use the end-to-end head, not the usual one.

    Raises:
        InputError: the installed Ultralytics builds another network from the same configuration, or the model
            has no end-to-end head.
    """
    tasks = import_ultralytics("ultralytics.nn.tasks")
    with quiet(), torch.random.fork_rng(devices=[]):
        try:
            network = tasks.DetectionModel(checkpoint.config, nc=len(checkpoint.names), verbose=False)
        except Exception as error:
            raise InputError(
                f"{path}: Ultralytics cannot build the model from its configuration ({error}). {_OTHER_VERSION}"
            ) from error
    layers = {name: type(module).__name__ for name, module in network.named_modules(remove_duplicate=False) if name}
    stored = {name: {"Silence": "Identity"}.get(layer, layer) for name, layer in checkpoint.layers.items() if name}
    wrong = sorted(name for name in layers.keys() | stored.keys() if layers.get(name) != stored.get(name))
    if stored and wrong:
        raise InputError(
            f"{path}: layer {wrong[0]} is {stored.get(wrong[0], 'missing')} in the file and "
            f"{layers.get(wrong[0], 'missing')} in the installed Ultralytics ({len(wrong)} differ). {_OTHER_VERSION}"
        )
    broken = sorted(name for name, tensor in checkpoint.state.items() if not tensor.float().isfinite().all())
    if broken:
        raise InputError(f"{path}: {len(broken)} weights are not finite ({broken[0]}, …). Get the file again.")
    try:
        network.load_state_dict({name: tensor.float() for name, tensor in checkpoint.state.items()})
    except RuntimeError as error:
        raise InputError(f"{path}: {' '.join(str(error).split())[:300]} {_OTHER_VERSION}") from error
    head = network.model[-1]
    two_heads = hasattr(head, "one2one_cv2")
    if end_to_end and not two_heads:
        raise InputError(
            f"{path}: the model has no end-to-end head; only YOLOv10 and YOLO26 have. Leave end_to_end off."
        )
    if two_heads:
        head.end2end = end_to_end
    network.eval().requires_grad_(False)
    with quiet():
        return network if two_heads else network.fuse(verbose=False)


_OTHER_VERSION = "Load and save it with the installed Ultralytics, or install the version it was trained with."


def import_ultralytics(module: str) -> Any:
    """Import a module of Ultralytics, offline and without output.

    The environment and the user's settings are left unchanged.

    Its settings file is written below ``$XDG_CACHE_HOME/xmic`` (``~/.cache/xmic``). With YOLO_OFFLINE it neither looks
    for a network nor reports usage.
    """
    if "ultralytics" in sys.modules:
        return importlib.import_module(module)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "xmic" / "ultralytics"
    before = dict(os.environ)
    os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false", YOLO_VERBOSE="false", YOLO_CONFIG_DIR=str(cache))
    threads = cv2.getNumThreads()
    try:
        with np.printoptions():
            return importlib.import_module(module)
    finally:
        # It sets OMP_NUM_THREADS=1 among others, which every child process would inherit.
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)
        cv2.setNumThreads(threads)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Ultralytics except for errors."""
    logger = logging.getLogger("ultralytics")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
