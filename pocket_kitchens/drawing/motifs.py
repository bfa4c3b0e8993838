"""Motifs that decorate a part: stripes, dots, a label, wood grain."""

from __future__ import annotations

import numpy as np

from pocket_kitchens.drawing.parts import Motif


def _bar(x: float, y: float, w: float, h: float) -> np.ndarray:
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], dtype=np.float32)


def _spot(x: float, y: float, r: float) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    return np.stack([x + r * np.cos(angle), y + r * np.sin(angle)], axis=1).astype(np.float32)


def motif_shapes(motif: Motif, box: tuple[int, int, int, int], rng: np.random.Generator) -> list[np.ndarray]:
    """Draw the outlines of a motif over a rectangle.

    Args:
        motif: name of the motif.
        box: x, y, width and height in pixels.
        rng: chooses counts and places.

    Returns:
        Outlines, float32 [n, 2] in pixels; none for a plain part.
    """
    x, y, w, h = box
    if motif in ("bands", "stripes", "check"):
        count = int(rng.integers(2, 6))
        thick = float(rng.uniform(0.3, 0.55)) / count
        places = (np.arange(count) + 0.5) / count - thick / 2
        across = [_bar(x, y + p * h, w, thick * h) for p in places]
        upright = [_bar(x + p * w, y, thick * w, h) for p in places]
        return {"bands": across, "stripes": upright, "check": across + upright}[motif]
    if motif == "dots":
        step = max(w, h) / float(rng.uniform(4, 7))
        rows, columns = int(h / step) + 1, int(w / step) + 1
        cells = [(r, c) for r in range(rows) for c in range(columns)]
        return [_spot(x + (c + 0.25 + 0.5 * (r % 2)) * step, y + (r + 0.5) * step, step * 0.24) for r, c in cells]
    if motif == "speckle":
        size = max(w, h) * 0.018
        return [_spot(x + u * w, y + v * h, size) for u, v in rng.uniform(0.06, 0.94, (24, 2))]
    if motif == "grain":
        rows = int(rng.integers(4, 8))
        return [_wave(x, y + (r + rng.uniform(0.2, 0.8)) * h / rows, w, h * 0.012, rng) for r in range(rows)]
    if motif == "label":
        top, tall = rng.uniform(0.36, 0.46), rng.uniform(0.3, 0.42)
        return [_bar(x, y + top * h, w, tall * h)]
    return []


def _wave(x: float, y: float, w: float, thick: float, rng: np.random.Generator) -> np.ndarray:
    along = np.linspace(0, 1, 12)
    height = y + thick * 2 * np.sin(along * rng.uniform(3, 7) + rng.uniform(0, 6))
    upper = np.stack([x + along * w, height], axis=1)
    return np.concatenate([upper, upper[::-1] + np.array([0, thick * 2])]).astype(np.float32)
