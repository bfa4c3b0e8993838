"""What a hand detector is: frames in, raw boxes out. Thresholds belong to the crops, not here."""

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
"""Boxes below this score are not kept; everything above is, so that thresholds can change without a GPU."""


@dataclass(frozen=True)
class Box:
    """One raw detection.

    Attributes:
        x0: left edge, normalised to [0, 1] of the displayed frame's width.
        y0: top edge, normalised to [0, 1] of its height.
        x1: right edge, normalised.
        y1: bottom edge, normalised.
        score: the detector's confidence in [0, 1].
        side: whose hand, where the detector says; None otherwise and for objects.
        kind: a hand, or an object.
        contact: touched (an object) or touching (a hand), None where the detector does not say.
        offset_x: of a hand: from its centre to that of what it touches, a share of the frame's width; None where
            the detector does not say.
        offset_y: the same, a share of its height.
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
    """A detector as planning knows it, before its network is built.

    Attributes:
        slug: folder name of its boxes; ends in the first 8 hex digits of the weights' sha256.
        provenance: what made the boxes: weights sha256, classes used, image size, IoU of the NMS, minimum
            score, precision. It stands in the artifacts' headers and is part of their keys, so it holds no
            absolute path, time or host.
        environment: device and ``batch_shape``, whose first number is the frames that are looked at in one call:
            recorded, not part of the keys.
    """

    slug: str
    provenance: dict[str, Any]
    environment: dict[str, Any]


class Detector(Protocol):
    """Finds hands, and objects where it can, in frames held in memory.

    Equal frames give equal boxes whatever else is in the call: every forward pass has one batch shape.
    """

    slug: str
    """See :class:`DetectorIdentity`."""

    provenance: dict[str, Any]
    """See :class:`DetectorIdentity`."""

    @classmethod
    def describe(cls, **options: Any) -> DetectorIdentity:
        """The identity of the detector these options, the constructor's own, would give, without its network."""
        ...

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Box]]:
        """Boxes of each frame with score ≥ :data:`MIN_SCORE`, best first.

        Args:
            images: RGB frames, uint8 [H, W, 3]; sizes may differ.
        """
        ...


def precision_of(slug: str) -> str:
    """The precision that the folder name of a YOLO network's boxes says: 'fp32' where it says none."""
    found = re.search(r"-\d+-(bf16|fp16)-[0-9a-f]{8}$", slug)
    return found[1] if found else "fp32"


DETECTORS = {"yolo": "pipelines.hands.yolo:YoloDetector"}


def load_detector(spec: str, **options: Any) -> Detector:
    """Build a detector from its name.

    Args:
        spec: a key of :data:`DETECTORS`, or ``package.module:Class``.
        **options: the detector's own.

    Raises:
        UsageError: the name, an option or a missing option; the text lists what there is.
    """
    found = load_class(spec, DETECTORS, "detector", IMPORTED)
    check_options(found, spec, "detector", options)
    detector: Detector = found(**options)
    return detector


def describe_detector(spec: str, **options: Any) -> DetectorIdentity:
    """The identity of the detector that :func:`load_detector` would build; same arguments and errors."""
    found = load_class(spec, DETECTORS, "detector", IMPORTED)
    check_options(found, spec, "detector", options)
    identity: DetectorIdentity = found.describe(**options)
    return identity
