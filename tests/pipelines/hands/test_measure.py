from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from data_manifests.errors import InputError
from pipelines.engine.progress import Silent
from pipelines.hands.detector import Box
from pipelines.hands.measure import measure_detector


class _Finds:
    """A detector that knows one hand."""

    slug, provenance = "finds", {}

    def detect(self, images: list[np.ndarray]) -> list[list[Box]]:
        return [[Box(0.1, 0.2, 0.3, 0.4, 0.9)] for _ in images]


def test_a_detector_is_scored_on_labelled_frames(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((20, 30, 3), np.uint8))
    (tmp_path / "t.csv").write_text("clip,frame,x0,y0,x1,y1\na.png,0,0.1,0.2,0.3,0.4\n")
    found = measure_detector(_Finds(), tmp_path, tmp_path / "t.csv", Silent())  # type: ignore[arg-type]
    assert (found["frames"], found["hands"], found["ap"]) == (1, 1, 1.0)
    assert found["recall"][0] == {"false_alarms": 0.05, "recall": 1.0, "threshold": 0.9}
    assert found["frames_per_second"] > 0


def test_labels_of_no_frame_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("clip,frame,x0,y0,x1,y1\n")
    with pytest.raises(InputError, match="labels no frame"):
        measure_detector(_Finds(), tmp_path, tmp_path / "t.csv", Silent())  # type: ignore[arg-type]
