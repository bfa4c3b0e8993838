"""Score a detector on labelled frames."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from data_manifests.errors import InputError
from pipelines.hands.detector import Detector
from pipelines.hands.labelled import labelled_frames
from pipelines.hands.scoring import FALSE_ALARMS, score
from pipelines.progress import Progress


def measure_detector(detector: Detector, frames: Path, labels: Path, progress: Progress) -> dict[str, Any]:
    """AP50, recall at fixed false alarms a frame, and speed.

    Args:
        detector: from :func:`pipelines.hands.detector.load_detector`.
        frames: see :func:`pipelines.hands.labelled.labelled_frames`.
        labels: the same.
        progress: told of each frame.

    Returns:
        'frames', 'hands', 'ap50', 'recall' (a list of 'false_alarms', 'recall' and 'threshold') and
        'frames_per_second' of the detector alone, its batch shape included.

    Raises:
        InputError: frames or labels are not as they must be; there are none.
    """
    labelled = list(labelled_frames(frames, labels))
    if not labelled:
        raise InputError(f"{labels}: labels no frame.")
    detector.detect([labelled[0].rgb])  # builds the network
    progress.start("detect", len(labelled))
    began = time.perf_counter()
    found = detector.detect([frame.rgb for frame in labelled])
    seconds = time.perf_counter() - began
    progress.advance(len(labelled))
    progress.finish()
    scores = score(found, [frame.truth for frame in labelled])
    recalls = zip(FALSE_ALARMS, scores.recalls, scores.thresholds, strict=True)
    return {
        "frames": scores.frames,
        "hands": scores.hands,
        "ap50": scores.ap,
        "recall": [{"false_alarms": rate, "recall": recall, "threshold": least} for rate, recall, least in recalls],
        "frames_per_second": round(len(labelled) / seconds, 1),
    }
