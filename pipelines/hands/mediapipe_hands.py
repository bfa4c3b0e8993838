"""Detect hands with MediaPipe Hands, which is optional.

Its networks find palms, then 21 landmarks in each. Package and models are Apache-2.0; the models lie in the wheel, so
nothing is downloaded. MediaPipe is imported in this file only, when frames are looked at.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from data_manifests.errors import InputError, UsageError
from pipelines.engine.digest import digest_json, whole_file_sha256
from pipelines.hands.crops import HAND_THRESHOLDS
from pipelines.hands.detector import Box, DetectorIdentity

VERSION = "0.10.14"
"""The last version whose wheel holds the models of its hand solution and that runs on NumPy 2."""

LARGEST_PYTHON = (3, 12)
"""The newest Python with a wheel of that version."""

GROW = 1.2
"""Factor on width and height of the landmarks' box: landmarks lie inside the fingers, boxes of hands around them."""

MAX_HANDS = 4
"""Most hands per frame: the wearer's, and another person's."""

PALM = HAND_THRESHOLDS["mediapipe"]
"""Least score of a palm. At a lower one MediaPipe averages more, and worse, palms into each."""

PRESENCE = 0.5
"""Least score of the landmark network that its region shows a hand: MediaPipe's default."""

_MODELS = ("palm_detection/palm_detection_lite.tflite", "hand_landmark/hand_landmark_lite.tflite")
_COMPLEXITY = 0
_GRAPH = "mediapipe/modules/hand_landmark/hand_landmark_tracking_cpu.binarypb"
_PALM = (0, 5, 9, 13, 17, 1, 2)
"""Landmarks at the seven points of a palm: wrist, the base of four fingers, two joints of the thumb."""


class MediapipeDetector:
    """Hand detector with MediaPipe Hands, a :class:`pipelines.hands.detector.Detector`.

    A box is that of the 21 landmarks, times :data:`GROW`. Its score is that of the palm: MediaPipe gives a hand no
    other score but that of its side.
    """

    def __init__(self, file_sha256: Callable[[Path], str] = whole_file_sha256) -> None:
        """Find the package and its models; the networks are built at the first :meth:`detect`.

        Args:
            file_sha256: returns the sha256 of a file; may remember it.

        Raises:
            UsageError: MediaPipe is not installed, or in another version.
            InputError: a model is missing in the package.
        """
        models = [_package_folder() / "modules" / name for name in _MODELS]
        for model in models:
            if not model.is_file():
                raise InputError(f"{model}: missing in mediapipe {VERSION}. Run {_INSTALL} --force-reinstall")
        sha256 = digest_json([file_sha256(model) for model in models])
        self.slug = f"mediapipe-{VERSION}-{sha256[:8]}"
        self.provenance: dict[str, Any] = {
            "detector": "mediapipe",
            "version": VERSION,
            "weights": [model.name for model in models],
            "weights_sha256": sha256,
            "box": f"21 landmarks, times {GROW}",
            "score": "palm",
            "min_score": PALM,
            "min_presence": PRESENCE,
            "complexity": _COMPLEXITY,
            "max_boxes": MAX_HANDS,
        }
        self.environment: dict[str, Any] = {"batch_shape": [1], "device": "cpu", "mediapipe": VERSION}

    @classmethod
    def describe(cls, **options: Any) -> DetectorIdentity:
        """Return the identity of a detector without importing MediaPipe.

        The options are those of the constructor.
        """
        return DetectorIdentity.of(cls(**options))

    @cached_property
    def _solution(self) -> Any:
        base = importlib.import_module("mediapipe.python.solution_base")
        # It says at the first hand that MediaPipe is of an older time, which its user cannot change.
        warnings.filterwarnings("ignore", r"SymbolDatabase\.GetPrototype", UserWarning)
        # The class Hands would hide the palms, and with them their scores.
        return base.SolutionBase(
            binary_graph_path=_GRAPH,
            side_inputs={"model_complexity": _COMPLEXITY, "num_hands": MAX_HANDS, "use_prev_landmarks": False},
            calculator_params={
                "palmdetectioncpu__TensorsToDetectionsCalculator.min_score_thresh": PALM,
                "handlandmarkcpu__ThresholdingCalculator.threshold": PRESENCE,
            },
            outputs=["multi_hand_landmarks", "multi_handedness", "palm_detections"],
        )

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Box]]:
        """Detect the hand boxes of each frame.

        Boxes have a score of at least 0.1; there are at most 4 per frame, sorted by score and then by coordinates.
        The first call imports MediaPipe, and writes nothing to standard error meanwhile.

        Args:
            images: RGB frames, uint8 [H, W, 3]; sizes may differ.
        """
        if "_solution" in self.__dict__:
            return [self._boxes(image) for image in images]
        with _silent():
            return [self._boxes(image) for image in images]

    def _boxes(self, image: np.ndarray) -> list[Box]:
        found = self._solution.process(np.ascontiguousarray(image))
        size = np.array([image.shape[1], image.shape[0]], np.float64)
        palms = [
            (np.array([(point.x, point.y) for point in palm.location_data.relative_keypoints]) * size, palm.score[0])
            for palm in found.palm_detections or ()
        ]
        boxes = []
        for hand, sides in zip(found.multi_hand_landmarks or (), found.multi_handedness or (), strict=True):
            points = np.array([(point.x, point.y) for point in hand.landmark])
            corners = box_of(points)
            if corners is not None:
                side = true_side(sides.classification[0].label)
                boxes.append(Box(*corners, _score_of(points[list(_PALM)] * size, palms), side))
        return sorted(boxes, key=lambda box: (-box.score, box.x0, box.y0, box.x1, box.y1))


def box_of(points: np.ndarray) -> tuple[float, float, float, float] | None:
    """Compute the box around a hand's landmarks.

    Args:
        points: [21, 2], x and y as shares of the frame's sides; may lie outside it.

    Returns:
        The corners of the tight box, grown by :data:`GROW` about its centre and cut to the frame, as shares. None where
        nothing of it lies in the frame.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    centre, half = (low + high) / 2, (high - low) / 2 * GROW
    x0, y0 = np.clip(centre - half, 0.0, 1.0).tolist()
    x1, y1 = np.clip(centre + half, 0.0, 1.0).tolist()
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def true_side(label: str) -> Literal["left", "right"]:
    """Return the side of a hand that MediaPipe labels 'Left' or 'Right'.

    MediaPipe's labels are those of a mirrored picture, as of a selfie camera. Frames here are not mirrored, so a label
    means the other side.
    """
    return "right" if label == "Left" else "left"


def _score_of(points: np.ndarray, palms: Sequence[tuple[np.ndarray, float]]) -> float:
    """Return the score of the palm whose points are nearest.

    MediaPipe drops palms without a hand, so their order says nothing.

    Args:
        points: [7, 2], the hand's landmarks at a palm's points, pixels.
        palms: each palm's points, [7, 2] in pixels, and its score.
    """
    distances = [float(np.linalg.norm(palm - points, axis=1).mean()) for palm, _ in palms]
    return min(float(palms[int(np.argmin(distances))][1]), 1.0)


_INSTALL = f"pip install --no-deps mediapipe=={VERSION} absl-py attrs flatbuffers 'protobuf>=4.25.3,<5'"
"""Without its dependencies, which would replace OpenCV's files and add JAX; its hand solution uses neither."""


def _package_folder() -> Path:
    """Return the folder of the installed package, without importing it."""
    try:
        version = importlib.metadata.version("mediapipe")
    except importlib.metadata.PackageNotFoundError:
        version = None
    spec = importlib.util.find_spec("mediapipe") if version == VERSION else None
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).parent
    found = "is not installed" if version is None else f"{version} is installed, and {VERSION} is needed"
    if sys.version_info[:2] > LARGEST_PYTHON:
        here = ".".join(map(str, sys.version_info[:2]))
        raise UsageError(
            f"mediapipe {found}; {VERSION} has no wheel for Python {here}. Make an environment of Python 3.12, and in "
            f"it run {_INSTALL}"
        )
    raise UsageError(f"mediapipe {found}. Run {_INSTALL}")


@contextmanager
def _silent() -> Iterator[None]:
    """Discard what native code writes to standard error.

    MediaPipe, absl and TensorFlow Lite greet there while they load, past Python and past their own log levels.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
