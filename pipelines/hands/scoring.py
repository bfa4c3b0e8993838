"""How well a detector finds hands: average precision, and recall at a fixed number of false alarms a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.hands.detector import Box

FALSE_ALARMS = (0.05, 0.1, 0.3, 1.0)
"""False alarms a frame at which recall is told."""

_SAME_HAND = 0.7


@dataclass(frozen=True, eq=False)
class Truth:
    """The true hands of a frame.

    Attributes:
        boxes: float ``[N, 4]``, corners as shares of the frame.
        difficult: bool ``[N]``; finding one of these is neither right nor wrong, missing it is no miss.
    """

    boxes: np.ndarray
    difficult: np.ndarray


@dataclass(frozen=True)
class Scores:
    """What :func:`score` finds.

    Attributes:
        frames: how many.
        hands: how many that are not difficult.
        ap: average precision, the area under the precision envelope (PASCAL VOC since 2010); None without hands.
        recalls: of each of :data:`FALSE_ALARMS`, the share of the hands found at the lowest threshold that gives no
            more false alarms.
        thresholds: those thresholds; None where no box but a hand is found, so that any does.
    """

    frames: int
    hands: int
    ap: float | None
    recalls: tuple[float | None, ...]
    thresholds: tuple[float | None, ...]


def overlap(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes ``[N, 4]`` and ``[M, 4]``: ``[N, M]``; 0 where both are empty."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = (one[:, 2:] - one[:, :2]).prod(axis=1)[:, None] + (other[:, 2:] - other[:, :2]).prod(axis=1)[None]
    found: np.ndarray = shared / np.maximum(areas - shared, 1e-12)
    return found


def score(found: Sequence[Sequence[Box]], truth: Sequence[Truth], iou: float = 0.5) -> Scores:
    """Compare boxes with the truth; sides are not looked at, and a hand found as left and as right is found once.

    Args:
        found: boxes of each frame; those of objects are left out.
        truth: the hands of each frame.
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
    """The area under the precision envelope.

    Args:
        right: bool ``[N]``, whether each box, best first, is a hand.
        hands: how many there are.
    """
    if not hands:
        return None
    hits = np.cumsum(right)
    precision = hits / np.arange(1, len(right) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(envelope[right].sum() / hands)


def hand_boxes(boxes: Sequence[Box]) -> list[Box]:
    """Boxes of hands, best first, without a second box of the same hand."""
    kept: list[Box] = []
    for box in sorted((box for box in boxes if box.kind == "hand"), key=lambda box: -box.score):
        if not kept or overlap(corners([box]), corners(kept)).max() <= _SAME_HAND:
            kept.append(box)
    return kept


def corners(boxes: Sequence[Box]) -> np.ndarray:
    """Float64 ``[N, 4]``."""
    return np.array([(box.x0, box.y0, box.x1, box.y1) for box in boxes], np.float64).reshape(-1, 4)


def matched(boxes: Sequence[Box], truth: Truth, iou: float) -> list[tuple[float, bool]]:
    """(score, whether it finds a hand) of each box, best first; the best box of a hand finds it, others are alarms.

    A box that fits a difficult hand best is left out.
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
