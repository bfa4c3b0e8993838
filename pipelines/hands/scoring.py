"""Score hand boxes against the ground truth.

The scores are average precision, and recall at fixed numbers of false alarms per frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.hands.detector import Box

FALSE_ALARMS = (0.05, 0.1, 0.3, 1.0)
"""False alarms per frame at which recall is reported."""

_SAME_HAND = 0.7


@dataclass(frozen=True, eq=False)
class Truth:
    """Ground-truth hands of a frame.

    Attributes:
        boxes: float ``[N, 4]``, corners as shares of the frame.
        difficult: bool ``[N]``; a difficult hand that is found is neither right nor wrong, and one that is not found is
            not a miss.
    """

    boxes: np.ndarray
    difficult: np.ndarray


@dataclass(frozen=True)
class Scores:
    """Scores of a detector, as computed by :func:`score`.

    Attributes:
        frames: number of frames.
        hands: number of hands that are not difficult.
        ap: average precision, the area under the precision envelope (PASCAL VOC since 2010); None without hands.
        recalls: of each of :data:`FALSE_ALARMS`, the share of the hands found at the lowest threshold that gives no
            more false alarms.
        thresholds: those thresholds; None where even the highest gives more false alarms, or there is no box.
    """

    frames: int
    hands: int
    ap: float | None
    recalls: tuple[float | None, ...]
    thresholds: tuple[float | None, ...]


def overlap(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Compute the intersection over union of boxes.

    Args:
        one: ``[N, 4]``, corners.
        other: ``[M, 4]``, corners.

    Returns:
        ``[N, M]``; 0 where both boxes are empty.
    """
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = (one[:, 2:] - one[:, :2]).prod(axis=1)[:, None] + (other[:, 2:] - other[:, :2]).prod(axis=1)[None]
    found: np.ndarray = shared / np.maximum(areas - shared, 1e-12)
    return found


def score(found: Sequence[Sequence[Box]], truth: Sequence[Truth], iou: float = 0.5) -> Scores:
    """Score boxes against the ground truth.

    Sides are ignored, and a hand found both as left and as right counts once.

    Args:
        found: boxes of each frame; those of objects are ignored.
        truth: the true hands of each frame.
        iou: least overlap of a box with the hand that it finds.
    """
    rows = [row for boxes, true in zip(found, truth, strict=True) for row in matched(hand_boxes(boxes), true, iou)]
    hands = int(sum((~true.difficult).sum() for true in truth))
    scores = np.array([value for value, _ in rows])
    right = np.array([hit for _, hit in rows], bool)
    order = np.argsort(-scores, kind="stable")
    scores, right = scores[order], right[order]
    hits, alarms = np.cumsum(right), np.cumsum(~right)
    recalls: list[float | None] = []
    thresholds: list[float | None] = []
    # A threshold keeps all boxes of one score or none.
    ends = np.flatnonzero(np.append(scores[1:] != scores[:-1], True)) if len(scores) else np.array([], int)
    for rate in FALSE_ALARMS:
        allowed = ends[alarms[ends] <= rate * len(truth)]
        last = int(allowed[-1]) if len(allowed) else -1
        recalls.append(None if not hands else float(hits[last]) / hands if last >= 0 else 0.0)
        thresholds.append(float(scores[last]) if last >= 0 else None)
    return Scores(len(truth), hands, average_precision(right, hands), tuple(recalls), tuple(thresholds))


def average_precision(right: np.ndarray, hands: int) -> float | None:
    """Compute the area under the precision envelope.

    Args:
        right: bool ``[N]``, whether each box, best first, is a hand.
        hands: number of hands.

    Returns:
        From 0 to 1; None without hands.
    """
    if not hands:
        return None
    hits = np.cumsum(right)
    precision = hits / np.arange(1, len(right) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(envelope[right].sum() / hands)


def hand_boxes(boxes: Sequence[Box]) -> list[Box]:
    """Select the boxes of hands, best first.

    A second box of the same hand is left out.
    """
    kept: list[Box] = []
    for box in sorted((box for box in boxes if box.kind == "hand"), key=lambda box: -box.score):
        if not kept or overlap(corners([box]), corners(kept)).max() <= _SAME_HAND:
            kept.append(box)
    return kept


def corners(boxes: Sequence[Box]) -> np.ndarray:
    """Return the corners of boxes as an array.

    Returns:
        float64 ``[N, 4]``.
    """
    return np.array([(box.x0, box.y0, box.x1, box.y1) for box in boxes], np.float64).reshape(-1, 4)


def matched(boxes: Sequence[Box], truth: Truth, iou: float) -> list[tuple[float, bool]]:
    """Match boxes with hands, best box first.

    The best box of a hand finds it; other boxes are false alarms. A box that fits a difficult hand best is left out.

    Returns:
        Per box its score, and whether it finds a hand.
    """
    overlaps = overlap(corners(boxes), truth.boxes)
    taken = np.zeros(len(truth.boxes), bool)
    rows = []
    for box, row in zip(boxes, overlaps, strict=True):
        free = np.where(taken & ~truth.difficult, -1.0, row)
        best = int(free.argmax()) if len(free) else -1
        if best < 0 or free[best] < iou:
            rows.append((box.score, False))
        elif not truth.difficult[best]:
            taken[best] = True
            rows.append((box.score, True))
    return rows
