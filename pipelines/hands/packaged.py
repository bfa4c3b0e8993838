"""Locate the packaged hand model, and read its calibration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipelines.engine.digest import whole_file_sha256
from pipelines.engine.file_memory import FileKey, file_key
from pipelines.hands.crops import HAND_THRESHOLD, HAND_THRESHOLDS, CropPolicy

PACKAGED = Path(__file__).parent / "model" / "hands.safetensors"
"""Weights of the packaged model; the architecture (.yaml) and the calibration (.json) lie beside them."""


def is_packaged(slug: str) -> bool:
    """Check whether a detector's slug names the packaged model.

    Any input size counts.
    """
    return PACKAGED.is_file() and slug.startswith("yolo-") and slug.endswith(f"-{_packaged_sha256()[:8]}")


def calibration_of(weights_sha256: object) -> tuple[float, float] | None:
    """Return the threshold and crop margin measured for the packaged model.

    None for any other weights.

    Args:
        weights_sha256: sha256 of the model that found the boxes, from their provenance.
    """
    described = PACKAGED.with_suffix(".json")
    if not described.is_file() or _packaged_sha256() != weights_sha256:
        return None
    found = json.loads(described.read_text(encoding="utf-8"))
    return float(found["threshold"]), float(found["margin"])


def fitting_policy(made: Mapping[str, Any]) -> CropPolicy:
    """Return the crop policy that fits the detector of some boxes.

    Args:
        made: provenance of the boxes.
    """
    fitting = HAND_THRESHOLDS.get(made.get("detector", ""), HAND_THRESHOLD), 0.0
    threshold, margin = calibration_of(made.get("weights_sha256")) or fitting
    return CropPolicy(threshold, margin=margin)


def _packaged_sha256() -> str:
    return _sha256_of(file_key("whole", PACKAGED))


@lru_cache(maxsize=1)
def _sha256_of(key: FileKey) -> str:
    """Hash the file once per process, and again when its size or time changed."""
    return whole_file_sha256(Path(key[1]))
