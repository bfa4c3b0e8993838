"""The hand model that comes with xmic: where it is, and what was measured to fit it."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from pipelines.engine.digest import whole_file_sha256
from pipelines.engine.file_memory import FileKey, file_key

PACKAGED = Path(__file__).parent / "model" / "hands.safetensors"
"""Its weights; the architecture (.yaml) and the calibration (.json) lie beside it."""


def is_packaged(slug: str) -> bool:
    """Whether a detector's folder name is that of the packaged model, at any input size."""
    return PACKAGED.is_file() and slug.startswith("yolo-") and slug.endswith(f"-{_packaged_sha256()[:8]}")


def calibration_of(weights_sha256: object) -> tuple[float, float] | None:
    """Threshold and crop margin that fit the model that comes with xmic; None of any other weights.

    Args:
        weights_sha256: of the model that found the boxes, as their provenance has it.
    """
    described = PACKAGED.with_suffix(".json")
    if not described.is_file() or _packaged_sha256() != weights_sha256:
        return None
    found = json.loads(described.read_text(encoding="utf-8"))
    return float(found["threshold"]), float(found["margin"])


def _packaged_sha256() -> str:
    return _sha256_of(file_key("whole", PACKAGED))


@lru_cache(maxsize=1)
def _sha256_of(key: FileKey) -> str:
    """Read once a process, and again when size or time of the file changed."""
    return whole_file_sha256(Path(key[1]))
