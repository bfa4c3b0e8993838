"""Score a hand detector on labelled frames."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_manifests.errors import InputError
from pipelines.engine.progress import Progress
from pipelines.hands.detector import Box, Detector
from pipelines.hands.labelled import labelled_frames
from pipelines.hands.scoring import FALSE_ALARMS, Truth, hand_boxes, matched, score


def measure_detector(
    detector: Detector, frames: Path, labels: Path, progress: Progress, iou: float = 0.5, threshold: float | None = None
) -> dict[str, Any]:
    """Measure a detector's accuracy and speed on labelled frames.

    Accuracy is the average precision, and the recall at fixed numbers of false alarms per frame.

    Args:
        detector: from :func:`pipelines.hands.detector.load_detector`.
        frames: see :func:`pipelines.hands.labelled.labelled_frames`.
        labels: see the same function.
        progress: notified of the frames.
        iou: least overlap of a box with the hand that it finds.
        threshold: also count the hands found and missed, and the false alarms, of boxes with this score or more.

    Returns:
        'frames', 'hands', 'iou', 'ap' (AP50 at IoU 0.5), 'recall' (a list of 'false_alarms', 'recall' and 'threshold'),
        'frames_per_second' of the detector alone, its batch shape included, and 'at_threshold'. The last is
        None without a threshold; else it has 'threshold', 'found', 'false_alarms' and 'missed'.

    Raises:
        InputError: frames or labels are missing or not of the expected form, or no frame is labelled.
    """
    labelled = list(labelled_frames(frames, labels))
    if not labelled:
        raise InputError(f"{labels}: labels no frame.")
    detector.detect([labelled[0].rgb])  # builds the network
    progress.start("detect", len(labelled), "frames")
    began = time.perf_counter()
    found = detector.detect([frame.rgb for frame in labelled])
    seconds = time.perf_counter() - began
    progress.advance(len(labelled))
    progress.finish()
    truth = [frame.truth for frame in labelled]
    scores = score(found, truth, iou)
    recalls = zip(FALSE_ALARMS, scores.recalls, scores.thresholds, strict=True)
    return {
        "frames": scores.frames,
        "hands": scores.hands,
        "iou": iou,
        "ap": scores.ap,
        "recall": [{"false_alarms": rate, "recall": recall, "threshold": least} for rate, recall, least in recalls],
        "frames_per_second": round(len(labelled) / seconds, 1),
        "at_threshold": None if threshold is None else _counts(found, truth, scores.hands, iou, threshold),
    }


def _counts(
    found: Sequence[Sequence[Box]], truth: Sequence[Truth], hands: int, iou: float, threshold: float
) -> dict[str, Any]:
    rows = [row for boxes, true in zip(found, truth, strict=True) for row in matched(hand_boxes(boxes), true, iou)]
    right = [hit for value, hit in rows if value >= threshold]
    return {
        "threshold": threshold,
        "found": sum(right),
        "false_alarms": len(right) - sum(right),
        "missed": hands - sum(right),
    }
