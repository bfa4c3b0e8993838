"""A small CLIP of random weights, and how the tests of encoders ask for it."""

from __future__ import annotations

import json
from pathlib import Path

TINY = Path(__file__).resolve().parents[4] / "examples" / "tiny-clip.json"
SPEC = f"open_clip:{TINY}/random"


def options(**changes):
    base = {"precision": "fp32", "batch_size": 4, "device": "cpu", "offline": True, "allow_random_weights": True}
    return {**base, **changes}


def config_at(path, **changes):
    path.write_text(json.dumps({**json.loads(TINY.read_text()), **changes}))
    return path
