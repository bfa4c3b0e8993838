"""Detect hands with a YOLO network.

Its weights are Ultralytics' or xmic's own. Pre- and post-processing are done here.

Equal frames give equal boxes. The network sees one fixed batch shape, and the suppression of overlapping boxes has no
time limit. Ultralytics' own stops after some seconds and returns fewer boxes on a slow machine.

Ultralytics is AGPL-3.0. It is imported in this file only, when a network is built.
"""

from __future__ import annotations

import importlib
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
from torchvision.ops import nms

from data_manifests.errors import InputError, UsageError
from pipelines.engine.digest import whole_file_sha256
from pipelines.engine.precision import resolve_precision
from pipelines.hands.detector import MIN_SCORE, Box, DetectorIdentity
from pipelines.hands.model_file import find_weights, read_model
from pipelines.hands.yolo_checkpoint import Checkpoint, read_checkpoint

MAX_BOXES = 300
PAD = 114
"""Grey level of the letterbox's bars, of 255: the value with which Ultralytics trains."""

USUAL_SIZE = 640
"""Side of the input, in pixels, of a model that does not give one: Ultralytics' own."""

Side = Literal["left", "right"]

_REDUCED = {"bf16": torch.bfloat16, "fp16": torch.float16}


class YoloDetector:
    """Hand detector with a YOLO network, a :class:`pipelines.hands.detector.Detector`.

    Boxes of zero area after clipping to the frame are dropped.
    """

    def __init__(
        self,
        weights: Path | str | None = None,
        hand_class: str | int | None = None,
        image_size: int | None = None,
        iou: float = 0.5,
        end_to_end: bool = False,
        batch_size: int = 16,
        precision: str = "fp32",
        device: str = "cpu",
        file_sha256: Callable[[Path], str] = whole_file_sha256,
        offline: bool = False,
    ) -> None:
        """Read the weights; the network is built at the first :meth:`detect`.

        Args:
            weights: an Ultralytics detection checkpoint (.pt), a model of xmic's own (.safetensors with its YAML),
                or ``hf://owner/repo/file``; by default the model that comes with xmic.
            hand_class: the class that is a hand, by name or index. By default the classes named 'hand', 'left
                hand', 'hand_right' and the like; a left and a right one give the boxes their side.
            image_size: side of the square network input in pixels, a multiple of 32. By default the size that a model
                of xmic's own was made for, and 640 for others.
            iou: boxes that overlap more than this with a better one are dropped, also a left hand's with a right one's.
                Two hands seldom share so much of a picture, and one hand is often detected as both.
            end_to_end: use the head without suppression that YOLOv10 and YOLO26 have besides the usual one.
            batch_size: frames per forward pass.
            precision: precision of the products: auto, fp32, bf16 or fp16; weights and boxes stay float32.
            device: 'cpu', 'cuda', …
            file_sha256: returns the sha256 of a file; may remember it.
            offline: never fetch weights.

        Raises:
            InputError: the weights are missing, not a detection model, or have no hand class.
            UsageError: an option is out of range, the device lacks the precision, or no weights are given and none come
                with xmic.
            MissingUpstream: the weights are on the Hub and cannot be fetched.
        """
        path = find_weights(weights, offline)
        self._path = path
        self._checkpoint, own_size = read_weights(path)
        image_size = own_size if image_size is None else image_size
        _check_options(image_size, iou, batch_size)
        self._sides = hand_classes(path, self._checkpoint.names, hand_class)
        self._image_size, self._iou, self._batch_size = image_size, iou, batch_size
        self._device = torch.device(device)
        self._precision = resolve_precision(precision, device)
        self._end_to_end = end_to_end
        sha256 = file_sha256(path)
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem)
        reduced = "" if self._precision == "fp32" else f"-{self._precision}"
        self.slug = f"yolo-{stem}-{image_size}{reduced}-{sha256[:8]}"
        self.provenance: dict[str, Any] = {
            "detector": "yolo",
            "weights": path.name,
            "weights_sha256": sha256,
            "classes": {self._checkpoint.names[index]: side for index, side in self._sides.items()},
            "image_size": image_size,
            "letterbox": f"square, bilinear, pad {PAD}",
            "head": "end-to-end" if end_to_end else "one-to-many",
            "nms_iou": None if end_to_end else iou,
            "nms_over": None if end_to_end else "all hand classes",
            "min_score": MIN_SCORE,
            "max_boxes": MAX_BOXES,
            "precision": self._precision,
        }
        self.environment: dict[str, Any] = {
            "batch_shape": [batch_size, 3, image_size, image_size],
            "device": self._device.type,
        }

    @classmethod
    def describe(cls, **options: Any) -> DetectorIdentity:
        """Return the identity of a detector without importing Ultralytics.

        The options are those of the constructor.
        """
        found = cls(**options)
        return DetectorIdentity(found.slug, found.provenance, found.environment)

    @cached_property
    def _network(self) -> torch.nn.Module:
        network = build_network(self._path, self._checkpoint, self._end_to_end)
        # Convolutions are fastest with channels last; the pixels come that way.
        return network.to(self._device).to(memory_format=torch.channels_last)

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Box]]:
        """Detect the hand boxes of each frame.

        Boxes have a score of at least 0.01; there are at most 300 per frame, sorted by score and then by coordinates.

        Args:
            images: RGB frames, uint8 [H, W, 3]; sizes may differ.
        """
        found: list[list[Box]] = []
        for start in range(0, len(images), self._batch_size):
            found += self._detect_batch(images[start : start + self._batch_size])
        return found

    def _detect_batch(self, images: Sequence[np.ndarray]) -> list[list[Box]]:
        size = self._image_size
        batch = np.full((self._batch_size, size, size, 3), PAD, np.uint8)
        for slot, image in zip(batch, images, strict=False):
            letterbox(image, slot)
        pixels = torch.from_numpy(batch).to(self._device).permute(0, 3, 1, 2).float().div_(255)
        flags = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
        reduced = torch.autocast(self._device.type, _REDUCED.get(self._precision), enabled=self._precision != "fp32")
        with torch.inference_mode(), flags, reduced:
            output = self._network(pixels)
        predictions = (output[0] if isinstance(output, tuple | list) else output).float().cpu()
        return [
            self._boxes(prediction, image.shape[1], image.shape[0])
            for prediction, image in zip(predictions, images, strict=False)
        ]

    def _boxes(self, prediction: torch.Tensor, width: int, height: int) -> list[Box]:
        """Convert the network's output of one frame to boxes.

        Args:
            prediction: [4 + classes, anchors] with centre and size, or from an end-to-end head [boxes, 6] with
                corners, score and class; in pixels of the letterboxed input.
            width: the frame's width, pixels.
            height: the frame's height, pixels.
        """
        if self._end_to_end:
            corners, scores, classes = prediction[:, :4], prediction[:, 4], prediction[:, 5].long()
        else:
            centre, extent = prediction[:2].T, prediction[2:4].T
            corners = torch.cat([centre - extent / 2, centre + extent / 2], dim=1)
            scores, classes = prediction[4:].max(dim=0)
        keep = (scores >= MIN_SCORE) & torch.isin(classes, torch.tensor(list(self._sides)))
        corners, scores, classes = corners[keep], scores[keep], classes[keep]
        order = _best_first(corners, scores)
        corners, scores, classes = corners[order], scores[order], classes[order]
        if not self._end_to_end:
            chosen = nms(corners, scores, self._iou)
            corners, scores, classes = corners[chosen], scores[chosen], classes[chosen]
        corners = to_frame(corners, width, height, self._image_size)
        solid = ((corners[:, 2:] - corners[:, :2]) > 0).all(dim=1)
        corners, scores, classes = corners[solid], scores[solid], classes[solid]
        order = _best_first(corners, scores)[:MAX_BOXES]
        found = zip(corners[order].tolist(), scores[order].tolist(), classes[order].tolist(), strict=True)
        return [Box(x0, y0, x1, y1, score, self._sides[index]) for (x0, y0, x1, y1), score, index in found]


def letterbox(image: np.ndarray, slot: np.ndarray) -> None:
    """Fit an image into the middle of a square, keeping its shape.

    Small images are scaled up too, as by Ultralytics' LetterBox.

    Args:
        image: uint8 [H, W, 3].
        slot: uint8 [S, S, 3], already grey; the image is written into it.
    """
    new_width, new_height, left, top = _fit(image.shape[1], image.shape[0], slot.shape[0])
    if (new_width, new_height) != (image.shape[1], image.shape[0]):
        image = cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
    slot[top : top + new_height, left : left + new_width] = image


def to_frame(corners: torch.Tensor, width: int, height: int, image_size: int) -> torch.Tensor:
    """Convert corners in the letterboxed square to shares of the frame.

    This reverses :func:`letterbox`.

    Args:
        corners: [N, 4] in pixels of the square.
        width: the frame's width, pixels.
        height: the frame's height, pixels.
        image_size: side of the square, pixels.

    Returns:
        [N, 4] normalised to the frame and clipped to [0, 1].
    """
    new_width, new_height, left, top = _fit(width, height, image_size)
    offset = torch.tensor([left, top, left, top], dtype=torch.float32)
    extent = torch.tensor([new_width, new_height, new_width, new_height], dtype=torch.float32)
    return ((corners - offset) / extent).clamp(0, 1)


def _fit(width: int, height: int, size: int) -> tuple[int, int, int, int]:
    ratio = min(size / width, size / height)
    new_width, new_height = max(round(width * ratio), 1), max(round(height * ratio), 1)
    # The 0.1 decides, as in Ultralytics, on which side an odd bar is one pixel wider.
    return new_width, new_height, round((size - new_width) / 2 - 0.1), round((size - new_height) / 2 - 0.1)


def _best_first(corners: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    keys = [*reversed(corners.T.numpy()), -scores.numpy()]
    return torch.from_numpy(np.lexsort(keys))


def _check_options(image_size: int, iou: float, batch_size: int) -> None:
    if image_size < 32 or image_size % 32:
        raise UsageError(f"The detector's image size is {image_size}; it must be a multiple of 32, such as 640 or 320.")
    if not 0 < iou <= 1:
        raise UsageError(f"The detector's iou is {iou}; it must lie in (0, 1], such as 0.7.")
    if batch_size < 1:
        raise UsageError(f"The detector's batch size is {batch_size}; it must be at least 1.")


def hand_classes(path: Path, names: tuple[str, ...], hand_class: str | int | None) -> dict[int, Side | None]:
    """Find the classes that are hands, and their sides.

    Args:
        path: the file of the names, for error messages.
        names: names of all classes.
        hand_class: the class that is a hand, by name or index; None finds hands by name.

    Returns:
        Index of each such class → 'left', 'right', or None where its name gives no side.

    Raises:
        InputError: no class is a hand.
    """
    listed = ", ".join(f"{index} {name}" for index, name in enumerate(names[:100]))
    if hand_class is None:
        found = {index: class_side(name) for index, name in enumerate(names) if _is_hand(name)}
        if not found:
            raise InputError(f"{path}: none of its classes is named hand: {listed}. Say which one is, as hand_class.")
        return found
    lowered = [name.lower() for name in names]
    wanted = str(hand_class).lower()
    if wanted in lowered:
        index = lowered.index(wanted)
    elif wanted.isdigit() and int(wanted) < len(names):
        index = int(wanted)
    else:
        raise InputError(f"{path}: has no class '{hand_class}'. Its classes are: {listed}.")
    return {index: class_side(names[index])}


def _words(name: str) -> list[str]:
    words = re.split(r"[^a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())
    return [word for word in re.sub(r"(left|right|hands?)", r" \1 ", " ".join(words)).split() if word]


def _is_hand(name: str) -> bool:
    words = _words(name)
    return ("hand" in words or "hands" in words) and set(words) <= {"hand", "hands", "left", "right", "l", "r"}


def class_side(name: str) -> Side | None:
    """Return the side that a class name gives, or None."""
    sides: set[Side] = set()
    for word in _words(name):
        if word in ("left", "l"):
            sides.add("left")
        elif word in ("right", "r"):
            sides.add("right")
    return sides.pop() if len(sides) == 1 else None


def read_weights(path: Path) -> tuple[Checkpoint, int]:
    """Read a weights file of either form, with its input size.

    Returns:
        The checkpoint, and the side of the input the model is meant for, in pixels.

    Raises:
        InputError: the file is of neither form.
    """
    if path.suffix != ".safetensors":
        return read_checkpoint(path), USUAL_SIZE
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
