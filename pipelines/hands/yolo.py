"""Detect hands with a YOLO network.

Its weights are Ultralytics' or xmic's own. Pre- and post-processing are done here.

Equal frames give equal boxes. All frames of one shape are seen in batches of one size, and the suppression of
overlapping boxes has no time limit. Ultralytics' own stops after some seconds and returns fewer boxes on a slow
machine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data_manifests.errors import UsageError
from pipelines.engine.batches import BatchTooLarge, in_flight
from pipelines.engine.digest import whole_file_sha256
from pipelines.engine.feed import Lanes, lanes_of
from pipelines.engine.memory import keep_memory
from pipelines.engine.precision import resolve_precision
from pipelines.hands.detector import MIN_SCORE, Box, DetectorIdentity
from pipelines.hands.hand_classes import hand_classes
from pipelines.hands.letterbox import PAD, Letterbox
from pipelines.hands.model_file import find_weights
from pipelines.hands.yolo_boxes import MAX_BOXES, BoxRule, boxes_of
from pipelines.hands.yolo_input import YoloInput, input_of
from pipelines.hands.yolo_network import build_network, read_weights

_STRIDE = 32

_SMALL_INPUT, _SMALL_BATCH, _LARGE_BATCH = 320, 64, 16

_REDUCED = {"bf16": torch.bfloat16, "fp16": torch.float16}


class YoloDetector:
    """Hand detector with a YOLO network, a :class:`pipelines.hands.detector.Detector`.

    Boxes of zero area after clipping to the frame are dropped.
    """

    def __init__(
        self,
        weights: Path | str | None = None,
        hand_class: str | int | Sequence[str | int] | None = None,
        image_size: int | None = None,
        iou: float = 0.5,
        end_to_end: bool = False,
        batch_size: int | None = None,
        precision: str = "fp32",
        device: str = "cpu",
        file_sha256: Callable[[Path], str] = whole_file_sha256,
        offline: bool = False,
    ) -> None:
        """Read the weights; the network is built at the first :meth:`detect`.

        Args:
            weights: an Ultralytics detection checkpoint (.pt), a model of xmic's own (.safetensors with its YAML),
                or ``hf://owner/repo/file``; by default the model that comes with xmic.
            hand_class: the classes that are hands, by name or index. By default the classes named 'hand', 'left
                hand', 'hand_right' and the like, or 'left' and 'right' where there are no others; a left and a right
                one give the boxes their side.
            image_size: longer side of the network's input in pixels, a multiple of 32. By default the size that the
                model was made for, and 640 where its file does not give it.
            iou: boxes that overlap more than this with a better one are dropped, also a left hand's with a right one's.
                Two hands seldom share so much of a picture, and one hand is often detected as both.
            end_to_end: use the head without suppression that YOLOv10 and YOLO26 have besides the usual one.
            batch_size: frames per forward pass. By default 64 where the input has at most 320 pixels, and 16 for larger
                ones: the smaller the input, the more frames it takes to make up for the calls of the layers.
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
        if batch_size is None:
            batch_size = _SMALL_BATCH if image_size <= _SMALL_INPUT else _LARGE_BATCH
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
            "letterbox": f"smallest rectangle, bilinear, pad {PAD}",
            "head": "end-to-end" if end_to_end else "one-to-many",
            "nms_iou": None if end_to_end else iou,
            "nms_over": None if end_to_end else "all hand classes",
            "min_score": MIN_SCORE,
            "max_boxes": MAX_BOXES,
            "precision": self._precision,
            "box_precision": "fp32",
        }
        # The largest shape: inputs of frames that are not square are lower or narrower.
        self.environment: dict[str, Any] = {
            "batch_shape": [batch_size, 3, image_size, image_size],
            "device": self._device.type,
        }

    @classmethod
    def describe(cls, **options: Any) -> DetectorIdentity:
        """Return the identity of a detector without importing Ultralytics.

        The options are those of the constructor.
        """
        return DetectorIdentity.of(cls(**options))

    @property
    def ahead(self) -> int:
        """Number of batches to begin before taking a result."""
        return self._lanes.ahead

    @cached_property
    def _lanes(self) -> Lanes:
        return lanes_of(self._device)

    @property
    def _dtype(self) -> torch.dtype:
        return _REDUCED.get(self._precision, torch.float32)

    @cached_property
    def _input(self) -> YoloInput:
        return input_of(self._device, self._lanes, self._batch_size, self._dtype)

    @cached_property
    def _network(self) -> torch.nn.Module:
        keep_memory()
        network = build_network(self._path, self._checkpoint, self._end_to_end)
        head: Any = network.model[-1]  # type: ignore[index]
        head.dfl = InFloat32(head.dfl)
        # Convolutions are fastest with channels last; the pixels come that way.
        return network.to(self._device).to(memory_format=torch.channels_last)

    @cached_property
    def _stride(self) -> int:
        return max(_STRIDE, int(self._network.stride.max()))  # type: ignore[operator]

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Box]]:
        """Detect the hand boxes of each frame.

        Boxes have a score of at least 0.01; there are at most 300 per frame, sorted by score and then by coordinates.

        Args:
            images: RGB frames, uint8 [H, W, 3]; sizes may differ.

        Raises:
            BatchTooLarge: a batch does not fit into the device's memory.
        """
        passes = self._passes(images)
        found = in_flight((self._begin(images, part) for part in passes), self.ahead)
        return _in_order(passes, found)

    def begin_detect(self, images: Sequence[np.ndarray]) -> Callable[[], list[list[Box]]]:
        """Begin to detect the hand boxes of a batch.

        Returns:
            A function that waits for what :meth:`detect` returns.

        Raises:
            BatchTooLarge: a batch does not fit into the device's memory.
        """
        passes = self._passes(images)
        begun = [self._begin(images, part) for part in passes]
        return lambda: _in_order(passes, (result() for result in begun))

    def _passes(self, images: Sequence[np.ndarray]) -> list[list[tuple[int, Letterbox]]]:
        """Split frames into batches whose inputs have one shape: number and place of each frame."""
        by_shape: dict[tuple[int, int], list[tuple[int, Letterbox]]] = {}
        for number, image in enumerate(images):
            place = self._place(image)
            by_shape.setdefault((place.height, place.width), []).append((number, place))
        size = self._batch_size
        return [of[start : start + size] for of in by_shape.values() for start in range(0, len(of), size)]

    def _place(self, image: np.ndarray) -> Letterbox:
        return Letterbox.of(image.shape[1], image.shape[0], self._image_size, self._stride)

    def _begin(
        self, images: Sequence[np.ndarray], part: Sequence[tuple[int, Letterbox]]
    ) -> Callable[[], list[list[Box]]]:
        places = [place for _, place in part]
        return self._input.begin(
            [images[number] for number, _ in part], places, self._output, lambda output: self._boxes(output, places)
        )

    def _output(self, pixels: torch.Tensor) -> torch.Tensor:
        """Run the network on a batch; float32, see :func:`pipelines.hands.yolo_boxes.boxes_of`."""
        flags = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
        reduced = torch.autocast(self._device.type, self._dtype, enabled=self._precision != "fp32")
        try:
            with torch.inference_mode(), flags, reduced:
                output = self._network(pixels)
                return (output[0] if isinstance(output, tuple | list) else output).float()
        except torch.OutOfMemoryError as error:
            raise BatchTooLarge(
                f"{self._batch_size} frames a forward pass do not fit into the memory of {self._device}. Run the same "
                f"command with --batch-size {max(1, self._batch_size // 2)}; shards that are done stay."
            ) from error

    def _boxes(self, output: torch.Tensor, places: Sequence[Letterbox]) -> list[list[Box]]:
        # CUDA and the CPU have all that the boxes need; what mps has differs by version.
        there = output if self._device.type == "cuda" else output.cpu()
        return boxes_of(there, places, BoxRule(self._sides, self._iou, self._end_to_end))


def _in_order(passes: Sequence[Sequence[tuple[int, Letterbox]]], found: Iterable[list[list[Box]]]) -> list[list[Box]]:
    """Put the boxes of the frames of all batches into the order of the frames."""
    by_number = {
        number: boxes
        for part, of_part in zip(passes, found, strict=True)
        for (number, _), boxes in zip(part, of_part, strict=True)
    }
    return [by_number[number] for number in range(len(by_number))]


class InFloat32(torch.nn.Module):
    """Layer that computes in float32 within any network.

    The sides of a box are a weighted mean of 0 to 15. In bfloat16 it moves them by half a pixel at the median.
    """

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Compute the layer of values of any precision."""
        with torch.autocast(values.device.type, enabled=False):
            found: torch.Tensor = self.layer(values.float())
        return found


def _check_options(image_size: int, iou: float, batch_size: int) -> None:
    if image_size < 32 or image_size % 32:
        raise UsageError(f"The detector's image size is {image_size}; it must be a multiple of 32, such as 640 or 320.")
    if not 0 < iou <= 1:
        raise UsageError(f"The detector's iou is {iou}; it must lie in (0, 1], such as 0.7.")
    if batch_size < 1:
        raise UsageError(f"The detector's batch size is {batch_size}; it must be at least 1.")
