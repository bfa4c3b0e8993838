"""Find the threshold and the crop margin of a model.

They are measured on drawn pictures that the model was not trained on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from packaged_models.hands.pictures import A_FILE, POCKET, DrawnPictures
from pipelines.engine.atomic import replace_atomically
from pipelines.engine.progress import Progress
from pipelines.hands.crops import Corners, CropPolicy, union_box
from pipelines.hands.detector import Box, Detector
from pipelines.hands.scoring import Truth, hand_boxes, matched, score

THRESHOLDS = tuple(round(value, 2) for value in np.arange(0.05, 0.96, 0.05).tolist())
MARGINS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
COVERED = 0.9
"""Mean share of a held thing that crops around true hands must keep; the margin is the least that reaches it."""

_BATCH = 16


def calibrate(detector: Detector, pictures: DrawnPictures, file: Path, progress: Progress) -> dict[str, Any]:
    """Measure a model and write the result as JSON.

    The threshold is the one of the best F1 over drawn scenes and pocket frames together. The margin is the least at
    which
    the crop around the true hands keeps 90 % of the area of what they hold. It makes up for boxes of hands alone, not
    for
    hands that are missed. The curve gives the same for the hands that are found. For comparison it gives what the union
    with the true boxes of the held things keeps (all of it) and the area of the crops.

    Args:
        detector: the model.
        pictures: pictures of another seed than those that the model was trained on.
        file: path of the result (.json).
        progress: updated with each batch of pictures.

    Returns:
        The content of the file: 'threshold', 'margin' (None when none of :data:`MARGINS` is enough), 'ap50' of scenes,
        pocket frames and both, and the curves 'thresholds' and 'margins'.
    """
    found: list[list[Box]] = []
    progress.start("detect", len(pictures), "pictures")
    for start in range(0, len(pictures), _BATCH):
        numbers = range(start, min(start + _BATCH, len(pictures)))
        found += detector.detect([pictures.read(number)[0] for number in numbers])
        progress.advance(len(numbers))
    progress.finish()
    truth = [Truth(boxes, np.zeros(len(boxes), bool)) for boxes in (pictures.read(n)[1] for n in range(len(pictures)))]
    parts: dict[str, list[int]] = {"scenes": [], "pocket": [], "all": list(range(len(pictures)))}
    for number in range(len(pictures)):
        parts["pocket" if number % A_FILE >= A_FILE - POCKET else "scenes"].append(number)
    curve = threshold_curve(found, truth)
    best = max(curve, key=lambda row: row["f1"])
    held = [pictures.held(number) for number in range(len(pictures))]
    margins = margin_curve(found, [true.boxes for true in truth], held, best["threshold"])
    kept = zip(MARGINS, (row["true_hands_covered"] or 0 for row in margins), strict=True)
    enough = [margin for margin, covered in kept if covered >= COVERED]
    result = {
        "pictures": len(pictures),
        "seed": pictures.seed,
        "threshold": best["threshold"],
        "margin": min(enough, default=None),
        "ap50": {name: score([found[n] for n in kept], [truth[n] for n in kept]).ap for name, kept in parts.items()},
        "thresholds": curve,
        "margins": margins,
    }
    with replace_atomically(file) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    return result


def threshold_curve(found: Sequence[Sequence[Box]], truth: Sequence[Truth]) -> list[dict[str, float]]:
    """Compute precision, recall and F1 at each of :data:`THRESHOLDS`."""
    hands = sum(len(true.boxes) for true in truth)
    rows = [row for boxes, true in zip(found, truth, strict=True) for row in matched(hand_boxes(boxes), true, 0.5)]
    scores, right = np.array([row[0] for row in rows]), np.array([row[1] for row in rows], bool)
    curve = []
    for threshold in THRESHOLDS:
        kept = scores >= threshold
        hits = int((kept & right).sum())
        precision, recall = hits / max(int(kept.sum()), 1), hits / max(hands, 1)
        f1 = 2 * precision * recall / max(precision + recall, 1e-9)
        curve.append({"threshold": threshold, "precision": precision, "recall": recall, "f1": f1})
    return curve


def margin_curve(
    found: Sequence[Sequence[Box]], hands: Sequence[np.ndarray], held: Sequence[np.ndarray], threshold: float
) -> list[dict[str, float | None]]:
    """Compute the share of held things in hand crops, per margin.

    The crops are around the hands alone; the margins are :data:`MARGINS`. Where no hand is found, the crop is the full
    frame, which has everything.

    Args:
        found: a detector's boxes of each picture.
        hands: the true hands, ``[N, 4]`` each.
        held: the boxes of what they hold, ``[N, 4]`` each, NaN where a hand holds nothing.
        threshold: least score of a hand.

    Returns:
        One row per margin, with 'margin'. 'held_covered' is the mean share of the area of a held thing in the crop
            around
        the hands found. 'true_hands_covered' is the same for the true hands. 'crop_area' is the mean area of the crop
        around the hands found. 'union_area' is that of the union of true hands and held things. Areas are shares of the
        picture. Values are None where nothing is held.
    """
    policy = CropPolicy(hand_threshold=threshold)
    rows: list[dict[str, float | None]] = []
    for margin in MARGINS:
        covered, true_covered, areas, unions = [], [], [], []
        for boxes, own, things in zip(found, hands, held, strict=True):
            there = things[~np.isnan(things[:, 0])]
            if not len(there):
                continue
            crop = _grown(union_box([box for box in boxes if box.kind == "hand"], policy, 10**4, 10**4), margin)
            true = _grown(_around(own), margin)
            covered += [_share(thing, crop) for thing in there]
            true_covered += [_share(thing, true) for thing in there]
            areas.append((crop[2] - crop[0]) * (crop[3] - crop[1]))
            union = _around(np.concatenate([own, there]))
            unions.append((union[2] - union[0]) * (union[3] - union[1]))
        rows.append(
            {
                "margin": margin,
                "held_covered": _mean(covered),
                "true_hands_covered": _mean(true_covered),
                "crop_area": _mean(areas),
                "union_area": _mean(unions),
            }
        )
    return rows


def _grown(box: Corners | None, margin: float) -> Corners:
    """Add the margin to a box and cut it to the picture.

    The margin is a share of the longer side. The picture is taken as square.
    """
    if box is None:
        return 0.0, 0.0, 1.0, 1.0
    more = margin * max(box[2] - box[0], box[3] - box[1])
    return max(box[0] - more, 0), max(box[1] - more, 0), min(box[2] + more, 1), min(box[3] + more, 1)


def _around(boxes: np.ndarray) -> Corners:
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _share(thing: np.ndarray, crop: Corners) -> float:
    """Compute the share of a thing's area that a crop keeps."""
    sides = np.clip(np.minimum(thing[2:], crop[2:]) - np.maximum(thing[:2], crop[:2]), 0, None)
    return float(sides.prod() / max((thing[2:] - thing[:2]).prod(), 1e-12))


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
