"""Boxes of the hand detector against the CPU's, frames per second, and where the time goes."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.gpu.timing import Row, drawn_frames, milliseconds, per_second
from pipelines.hands.detector import Box
from pipelines.hands.letterbox import Letterbox
from pipelines.hands.scoring import corners, overlap
from pipelines.hands.yolo import YoloDetector
from pipelines.hands.yolo_boxes import BoxRule, boxes_of
from pipelines.hands.yolo_input import resized

_CLEAR = 0.25
"""Least score of the boxes that are compared."""
_LEAST_IOU, _LEAST_SHARE = 0.9, 0.99
_BATCH, _FRAMES = 64, 256


def measure(device: str, seconds: float, quick: bool = False) -> list[Row]:
    """Compare and time the packaged hand model."""
    frames = drawn_frames(8 if quick else _FRAMES)
    place, batch = torch.device(device), 4 if quick else _BATCH
    compared = frames[: 8 if quick else 64]
    expected = YoloDetector(batch_size=16, precision="fp32", device="cpu", offline=True).detect(compared)
    rows = []
    for precision in dict.fromkeys(("fp32", "fp16" if place.type == "cuda" else "fp32")):
        detector = YoloDetector(batch_size=batch, precision=precision, device=device, offline=True)
        share = same_share(detector.detect(compared), expected)
        rate = per_second(lambda detector=detector: len(detector.detect(frames)), place, seconds)
        rows.append(
            {
                "network": f"packaged, {precision}, batch {batch}",
                "boxes of the CPU": round(share, 4),
                "ok": share >= _LEAST_SHARE,
                "frames per second": round(rate, 1),
                **_parts(detector, frames[:batch], place, seconds / 4),
            }
        )
    return rows


def same_share(found: list[list[Box]], expected: list[list[Box]]) -> float:
    """Return the share of clear expected boxes that are found, with an IoU of 0.9 or more."""
    right = count = 0
    for mine, theirs in zip(found, expected, strict=True):
        clear = [box for box in theirs if box.score >= _CLEAR]
        count += len(clear)
        near = [box for box in mine if box.score >= _CLEAR / 2]
        if clear and near:
            right += int((overlap(corners(near), corners(clear)) >= _LEAST_IOU).any(axis=0).sum())
    if not count:
        raise RuntimeError("the CPU finds no hand in the drawn frames: there is nothing to compare")
    return right / count


def _parts(detector: YoloDetector, frames: list[np.ndarray], device: torch.device, seconds: float) -> Row:
    """Measure the parts of a batch alone, ms per frame."""
    count = len(frames)
    places = [detector._place(frame) for frame in frames]
    box: Letterbox = places[0]
    pixels = torch.zeros(count, 3, box.height, box.width, device=device).to(memory_format=torch.channels_last)
    output = detector._output(pixels)
    rule = BoxRule(detector._sides, detector._iou, detector._end_to_end)
    stacked = torch.from_numpy(np.stack(frames))
    there = stacked.to(device)
    return {
        "copy, ms": _ms(milliseconds(lambda: stacked.to(device), device, count, seconds)),
        "letterbox, ms": _ms(
            milliseconds(lambda: resized(there, box.inner_width, box.inner_height), device, count, seconds)
        ),
        "network, ms": _ms(milliseconds(lambda: detector._output(pixels), device, count, seconds)),
        "boxes, ms": _ms(milliseconds(lambda: boxes_of(output, places, rule), device, count, seconds)),
    }


def _ms(value: float) -> float:
    return round(value, 4)
