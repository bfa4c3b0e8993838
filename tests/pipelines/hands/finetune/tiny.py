"""A network of the packaged one's form that is small enough for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from packaged_models.hands.drawing.scene import Picture, SeenHand
from packaged_models.hands.pictures import packed
from pipelines.hands.finetune.batches import Stage
from pipelines.hands.finetune.network import ARCHITECTURE
from pipelines.hands.finetune.train import Training

TINY_ARCHITECTURE = {**ARCHITECTURE, "scales": {"n": [0.5, 0.0625, 128]}}
TINY = Training(budget=16, stages=(Stage(0.5, 32, 0.5), Stage(1.0, 64, 0.0)), batch=4)


def write_pictures(folder: Path, seed: int, count: int) -> Path:
    """A file of drawn pictures of :class:`packaged_models.hands.pictures.DrawnPictures`: squares on grey."""
    rng = np.random.default_rng(seed)
    pictures = []
    for number in range(count):
        rgb = np.full((48, 64, 3), 120, np.uint8)
        hands = []
        for side in ("left", "right")[: number % 3]:
            x, y = int(rng.integers(0, 40)), int(rng.integers(0, 28))
            rgb[y : y + 18, x : x + 22] = (240, 60, 60) if side == "left" else (60, 60, 240)
            box = (x / 64, y / 48, (x + 22) / 64, (y + 18) / 48)
            held = (box[0], box[1], min(box[2] + 0.1, 1.0), box[3]) if number % 2 else None
            hands.append(SeenHand(side, box, held))  # type: ignore[arg-type]
        pictures.append(Picture(rgb, hands))
    file = folder / f"pictures-{seed}" / "0000.npz"
    file.parent.mkdir(parents=True)
    np.savez(file, **packed(pictures))  # type: ignore[arg-type]
    return file
