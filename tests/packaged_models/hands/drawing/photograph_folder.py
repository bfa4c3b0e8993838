"""A folder of pictures that stand for photographs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def write_photographs(folder: Path) -> Path:
    """Two scenes, one wide and one tall, and a red disc that is cut out; the folder."""
    rng = np.random.default_rng(0)
    (folder / "things").mkdir(parents=True)
    for name, size in (("wide.jpg", (90, 160)), ("tall.png", (150, 80))):
        cv2.imwrite(str(folder / name), cv2.resize(rng.integers(0, 256, (9, 9, 3), np.uint8), size[::-1]))
    disc = np.zeros((40, 60, 4), np.uint8)
    cv2.circle(disc, (30, 20), 18, (0, 0, 255, 255), -1)
    cv2.imwrite(str(folder / "things" / "disc.png"), disc)
    return folder
