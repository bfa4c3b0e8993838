"""Turn the output of a YOLO network into boxes on its device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pipelines.hands.detector import MIN_SCORE, Box
from pipelines.hands.hand_classes import Side
from pipelines.hands.letterbox import Letterbox, to_frames

MAX_BOXES = 300


@dataclass(frozen=True)
class BoxRule:
    """Rule by which an output becomes boxes.

    Attributes:
        sides: class of a hand → its side, or None.
        iou: boxes that overlap more than this with a better one of any class are dropped.
        end_to_end: the output is that of a head without suppression.
    """

    sides: Mapping[int, Side | None]
    iou: float
    end_to_end: bool


@dataclass(frozen=True)
class _Candidates:
    """Boxes of all frames of a batch: number of the frame [N], corners [N, 4], scores [N], classes [N]."""

    frame: Tensor
    corners: Tensor
    scores: Tensor
    classes: Tensor

    def only(self, chosen: Tensor) -> _Candidates:
        return _Candidates(self.frame[chosen], self.corners[chosen], self.scores[chosen], self.classes[chosen])

    def best_first(self) -> _Candidates:
        """Sort by frame, score and coordinates."""
        order = torch.arange(len(self.scores), device=self.scores.device)
        for key in (*reversed(self.corners.T), -self.scores, self.frame):
            order = order[torch.sort(key[order], stable=True).indices]
        return self.only(order)


def boxes_of(output: Tensor, places: Sequence[Letterbox], rule: BoxRule) -> list[list[Box]]:
    """Convert a network's output to boxes.

    Args:
        output: float32 [B, 4 + classes, anchors] with centre and size, or from an end-to-end head [B, boxes, 6] with
            corners, score and class; in pixels of the letterboxed input.
        places: of the frames in that input, for the first of the batch.
        rule: see :class:`BoxRule`.

    Returns:
        Boxes of each frame, sorted by score and then by coordinates. Those of zero area after clipping to the frame are
        dropped.
    """
    found = _candidates(output[: len(places)], rule).best_first()
    if not rule.end_to_end:
        found = _suppressed(found, len(places), rule.iou)
    corners = to_frames(found.corners, found.frame, places)
    found = _Candidates(found.frame, corners, found.scores, found.classes)
    found = found.only(((corners[:, 2:] - corners[:, :2]) > 0).all(dim=1)).best_first()
    boxes: list[list[Box]] = [[] for _ in places]
    rows = zip(found.frame.tolist(), found.corners.tolist(), found.scores.tolist(), found.classes.tolist(), strict=True)
    for frame, (x0, y0, x1, y1), score, index in rows:
        if len(boxes[frame]) < MAX_BOXES:
            boxes[frame].append(Box(x0, y0, x1, y1, score, rule.sides[int(index)]))
    return boxes


def _candidates(output: Tensor, rule: BoxRule) -> _Candidates:
    """Find the hands of at least the least score."""
    if rule.end_to_end:
        corners, scores, classes = output[:, :, :4], output[:, :, 4], output[:, :, 5].long()
    else:
        centre, extent = output[:, :2].mT, output[:, 2:4].mT
        corners = torch.cat([centre - extent / 2, centre + extent / 2], dim=2)
        scores, classes = output[:, 4:].max(dim=1)
    hands = torch.tensor(list(rule.sides), device=output.device)
    frame, anchor = torch.nonzero((scores >= MIN_SCORE) & torch.isin(classes, hands), as_tuple=True)
    return _Candidates(frame, corners[frame, anchor], scores[frame, anchor], classes[frame, anchor])


def _suppressed(found: _Candidates, frames: int, iou: float) -> _Candidates:
    """Drop boxes that overlap with a better one of their frame."""
    from torchvision.ops import nms  # its import takes a second, also where nothing is to be detected

    counts = torch.bincount(found.frame, minlength=frames).tolist()
    chosen, start = [], 0
    for count in counts:
        if count:
            rows = slice(start, start + count)
            chosen.append(start + nms(found.corners[rows], found.scores[rows], iou))
        start += count
    return found.only(torch.cat(chosen)) if chosen else found
