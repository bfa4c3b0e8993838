"""A stand-in for the package mediapipe, with the files and the one class that xmic uses."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pipelines.hands.mediapipe_hands import VERSION

_SOLUTION = '''
import os
from types import SimpleNamespace as Thing

MADE = []
HANDS = []


class SolutionBase:
    def __init__(self, **settings):
        MADE.append(settings)
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\\n")

    def process(self, image):
        """Find hands as (label, palm score, 21 points); of a black picture none."""
        hands = HANDS if image.any() else []
        if not hands:
            return Thing(multi_hand_landmarks=None, multi_handedness=None, palm_detections=None)
        palms = [palm(score, [points[i] for i in (0, 5, 9, 13, 17, 1, 2)]) for _, score, points in reversed(hands)]
        return Thing(
            multi_hand_landmarks=[Thing(landmark=[Thing(x=x, y=y) for x, y in points]) for _, _, points in hands],
            multi_handedness=[Thing(classification=[Thing(label=label, score=0.9)]) for label, _, _ in hands],
            # One palm without a hand comes first: MediaPipe gives the palms in an order of their own.
            palm_detections=[palm(0.99, [(0.9, 0.9)] * 7), *palms],
        )


def palm(score, points):
    return Thing(score=[score], location_data=Thing(relative_keypoints=[Thing(x=x, y=y) for x, y in points]))
'''


def install_stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, version: str = VERSION) -> Path:
    """Install the stand-in in a folder of its own, in front of a real one.

    Returns:
        The folder of its models.
    """
    package = folder / "stand-in" / "mediapipe"
    models = package / "modules"
    for path, text in {
        package / "__init__.py": "",
        package / "python" / "__init__.py": "",
        package / "python" / "solution_base.py": _SOLUTION,
        models / "palm_detection" / "palm_detection_lite.tflite": "palm",
        models / "hand_landmark" / "hand_landmark_lite.tflite": "hand",
        package.parent / f"mediapipe-{version}.dist-info" / "METADATA": f"Name: mediapipe\nVersion: {version}\n",
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(package.parent)
    for name in [name for name in sys.modules if name.partition(".")[0] == "mediapipe"]:
        monkeypatch.delitem(sys.modules, name)
    return models


def set_hands(*hands: tuple[str, float, list[tuple[float, float]]]) -> None:
    """Choose what the stand-in finds: each hand's label, palm score and 21 points."""
    from mediapipe.python import solution_base

    solution_base.HANDS[:] = hands


def settings_of_last() -> dict[str, object]:
    """Return the settings that the last solution was built with."""
    from mediapipe.python import solution_base

    found: dict[str, object] = solution_base.MADE[-1]
    return found


def points_in(x0: float, y0: float, x1: float, y1: float) -> list[tuple[float, float]]:
    """Return 21 points whose tight box is the one given."""
    return [(x0 + (x1 - x0) * step / 20, y0 + (y1 - y0) * step / 20) for step in range(21)]
