"""The hand model that comes with xmic: where it is, and what was measured to fit it."""

from __future__ import annotations

import json
from pathlib import Path

from pipelines.digest import whole_file_sha256

PACKAGED = Path(__file__).parent / "model" / "hands.safetensors"
"""Its weights; the architecture (.yaml) and the calibration (.json) lie beside it."""


def is_packaged(slug: str) -> bool:
    """Whether a detector's folder name is that of the packaged model, at any input size."""
    return PACKAGED.is_file() and slug.startswith("yolo-") and slug.endswith(f"-{whole_file_sha256(PACKAGED)[:8]}")


def calibration_of(weights_sha256: object) -> tuple[float, float] | None:
    """Threshold and crop margin that fit the model that comes with xmic; None of any other weights.

    Args:
        weights_sha256: of the model that found the boxes, as their provenance has it.
    """
    described = PACKAGED.with_suffix(".json")
    if not described.is_file() or whole_file_sha256(PACKAGED) != weights_sha256:
        return None
    found = json.loads(described.read_text(encoding="utf-8"))
    return float(found["threshold"]), float(found["margin"])
