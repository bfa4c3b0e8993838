"""Interface of a hand detector: frames in, raw boxes out.

Thresholds belong to the crops, not to the detector.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from data_manifests.errors import InputError
from pipelines.engine.plugins import check_options, load_class
from pipelines.hands.options import IMPORTED

MIN_SCORE = 0.01
"""Least score of a box that is kept. It is low, so that thresholds can change later without a GPU."""


@dataclass(frozen=True)
class Box:
    """One raw detection of a hand or an object.

    Attributes:
        x0: left edge, normalised to [0, 1] of the displayed frame's width.
        y0: top edge, normalised to [0, 1] of its height.
        x1: right edge, normalised.
        y1: bottom edge, normalised.
        score: the detector's confidence in [0, 1].
        side: side of the hand; None where the detector does not give it, and for objects.
        kind: 'hand' or 'object'.
        contact: whether an object is touched, or a hand touches something; None where the detector does not give it.
        offset_x: of a hand, from its centre to the centre of what it touches, as a share of the frame's width; None
            where the detector does not give it.
        offset_y: the same, as a share of the frame's height.
    """

    x0: float
    y0: float
    x1: float
    y1: float
    score: float
    side: Literal["left", "right"] | None = None
    kind: Literal["hand", "object"] = "hand"
    contact: bool | None = None
    offset_x: float | None = None
    offset_y: float | None = None

    def __post_init__(self) -> None:
        """Refuse pixel coordinates, swapped corners and NaN.

        Raises:
            InputError: a coordinate or the score lies outside [0, 1], the corners are swapped, or an offset is
                not finite.
        """
        if not (0 <= self.x0 <= self.x1 <= 1 and 0 <= self.y0 <= self.y1 <= 1 and 0 <= self.score <= 1):
            raise InputError(
                f"Not a normalised box: ({self.x0}, {self.y0}, {self.x1}, {self.y1}) with score {self.score}. "
                f"Expected 0 ≤ x0 ≤ x1 ≤ 1, 0 ≤ y0 ≤ y1 ≤ 1 and a score in [0, 1]; "
                f"divide pixel coordinates by the frame's width and height."
            )
        if not (math.isfinite(self.offset_x or 0) and math.isfinite(self.offset_y or 0)):
            raise InputError(
                f"Not an offset: ({self.offset_x}, {self.offset_y}). Expected shares of the frame's sides."
            )


@dataclass(frozen=True)
class DetectorIdentity:
    """Identity of a detector, known before its network is built.

    Attributes:
        slug: folder name of its boxes; ends in the first 8 hex digits of the weights' sha256.
        provenance: what made the boxes: weights sha256, classes used, image size, IoU of the NMS, minimum
            score, precision. It is written to the artifacts' headers and is part of their keys, so it holds no
            absolute path, time or host.
        environment: device and ``batch_shape``, whose first number is the number of frames per forward pass. It is
            recorded, but not part of the keys.
    """

    slug: str
    provenance: dict[str, Any]
    environment: dict[str, Any]

    @classmethod
    def of(cls, detector: Any) -> DetectorIdentity:
        """Return the identity of a detector that holds its parts."""
        return cls(detector.slug, detector.provenance, detector.environment)


class Detector(Protocol):
    """Detector of hands, and where it can of objects, in RGB frames.

    Equal frames give equal boxes whatever else is in the call: every forward pass has one batch shape.
    """

    slug: str
    """See :class:`DetectorIdentity`."""

    provenance: dict[str, Any]
    """See :class:`DetectorIdentity`."""

    @classmethod
    def describe(cls, **options: Any) -> DetectorIdentity:
        """Return the identity of a detector without building its network.

        The options are those of the constructor.
        """
        ...

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Box]]:
        """Detect the boxes of each frame, best first.

        Boxes have a score of at least :data:`MIN_SCORE`.

        Args:
            images: RGB frames, uint8 [H, W, 3]; sizes may differ.
        """
        ...


def precision_of(slug: str) -> str:
    """Parse the precision from the folder name of a YOLO network's boxes.

    Returns 'fp32' where the name gives none.
    """
    found = re.search(r"-\d+-(bf16|fp16)-[0-9a-f]{8}$", slug)
    return found[1] if found else "fp32"


DETECTORS = {
    "yolo": "pipelines.hands.yolo:YoloDetector",
    "mediapipe": "pipelines.hands.mediapipe_hands:MediapipeDetector",
}


def load_detector(spec: str, **options: Any) -> Detector:
    """Build a detector from its name.

    Args:
        spec: a key of :data:`DETECTORS`, or ``package.module:Class``.
        **options: options of the detector's constructor.

    Raises:
        UsageError: the name or an option is unknown, or an option is missing; the text lists the known ones.
    """
    found = load_class(spec, DETECTORS, "detector", IMPORTED)
    check_options(found, spec, "detector", options)
    detector: Detector = found(**options)
    return detector


def describe_detector(spec: str, **options: Any) -> DetectorIdentity:
    """Return the identity of the detector that :func:`load_detector` would build.

    Arguments and errors are the same.
    """
    found = load_class(spec, DETECTORS, "detector", IMPORTED)
    check_options(found, spec, "detector", options)
    identity: DetectorIdentity = found.describe(**options)
    return identity
