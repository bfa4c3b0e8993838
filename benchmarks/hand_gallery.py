"""A sheet of drawn pictures with the hands that a model finds, misses and imagines, for docs/hands.md.

    python benchmarks/hand_gallery.py WORK OUT.jpg [--weights FILE] [--threshold T] [--seed 9000] [--pictures 24]

WORK is the folder of ``python -m packaged_models.hands train``; the pictures are of another seed than the training's.
Green: a hand that was found (IoU 0.5 or more). Yellow: a hand that was missed. Red: a box without a hand.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from packaged_models.hands.drawing.mesh import fetch_mesh
from packaged_models.hands.pictures import A_FILE, DrawnPictures
from pipelines.engine.progress import Silent
from pipelines.hands.detector import load_detector
from pipelines.hands.model_file import find_weights
from pipelines.hands.scoring import corners, hand_boxes, overlap

_FOUND, _MISSED, _ALARM = (60, 200, 90), (240, 210, 40), (230, 60, 60)
_COLUMNS, _SIDE = 6, 240
_IOU = 0.5


def main() -> None:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--threshold", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=9000)
    parser.add_argument("--pictures", type=int, default=24)
    options = parser.parse_args()
    detector = load_detector("yolo", weights=find_weights(options.weights, offline=True))
    drawn = DrawnPictures(options.work, fetch_mesh(options.work), options.seed, -(-options.pictures // A_FILE))
    drawn.draw(1, Silent())
    step = max(1, len(drawn) // options.pictures)
    tiles = []
    for number in range(0, step * options.pictures, step):
        picture, truth = drawn.read(number)[:2]
        boxes = [box for box in hand_boxes(detector.detect([picture])[0]) if box.score >= options.threshold]
        tiles.append(cv2.resize(_marked(picture.copy(), corners(boxes), truth), (_SIDE, _SIDE)))
    rows = [np.hstack(tiles[start : start + _COLUMNS]) for start in range(0, len(tiles), _COLUMNS)]
    cv2.imwrite(str(options.out), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 82])


def _marked(picture: np.ndarray, found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    fits = overlap(found, truth) >= _IOU
    for box, hit in zip(found, fits.any(axis=1), strict=True):
        _draw(picture, box, _FOUND if hit else _ALARM)
    for box, hit in zip(truth, fits.any(axis=0), strict=True):
        if not hit:
            _draw(picture, box, _MISSED)
    return picture


def _draw(picture: np.ndarray, box: np.ndarray, colour: tuple[int, int, int]) -> None:
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = (box * [width, height, width, height]).round().astype(int).tolist()
    cv2.rectangle(picture, (x0, y0), (x1, y1), colour, 3)


if __name__ == "__main__":
    main()
