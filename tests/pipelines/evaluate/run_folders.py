"""Write the folder of a run by hand, as somebody else might."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from pipelines.engine.digest import digest_json
from pipelines.train.finished import WEIGHTS, write_summary

_SETTINGS: dict[str, Any] = {
    "key": "0" * 64,
    "label": "noun",
    "method": "xmic",
    "method_config": {},
    "name": "xmic-official-epic-s0-00000000",
    "preset": "official",
    "protocol": {
        "classify": "hand",
        "encoder": "pocket-979083af",
        "hands": "hand-yolo-h0.2-o0.01-m0.15-center",
        "names": "official",
        "prompt": "{}",
        "quality": 95,
        "segments": 4,
        "short_side": 256,
        "streams": None,
        "v2": "pocket-979083af",
        "vectors": {
            "pocket-979083af/hand-yolo-h0.2-o0.01-m0.15-center": {
                "crop": "h0.2-o0.01-m0.15-center",
                "detector": "yolo",
                "encoder": "pocket-979083af",
                "precision": "fp32",
                "spec": "pocket",
                "stream": "hand",
            }
        },
    },
    "recipe": {"name": "published", "epochs": 1},
    "seed": 0,
    "selection": {"select": "last", "source_val": None, "target": None, "leaking": False},
    "source": {"dataset": "epic", "split": "train"},
    "versions": {"torch": "2.0"},
}
SUMMARY = {"clips": 3, "labelled": 3, "classes": 2, "parameters": 10}


_BESIDE_THE_KEY = {"name", "key", "label", "versions"}


def changed(**values: Any) -> dict[str, Any]:
    """The configuration with other values, named as ``protocol__encoder``."""
    config = copy.deepcopy(_SETTINGS)
    for place, value in values.items():
        *parents, last = place.split("__")
        inner = config
        for parent in parents:
            inner = inner[parent]
        inner[last] = value
    return _with_key(config)


def _with_key(config: dict[str, Any]) -> dict[str, Any]:
    """The key of a run is the digest of its settings."""
    try:
        key = digest_json({name: value for name, value in config.items() if name not in _BESIDE_THE_KEY})
    except UnicodeEncodeError:
        return config
    return {**config, "key": key}


CONFIG = _with_key(_SETTINGS)


def write_run(folder: Path, config: dict[str, Any] | None = None) -> Path:
    """A run of one head, whose weights are no tensors."""
    head = folder / "noun"
    head.mkdir(parents=True)
    (head / "config.json").write_text(json.dumps(CONFIG if config is None else config))
    (head / WEIGHTS).write_bytes(b"weights")
    write_summary(head, dict(SUMMARY))
    return folder
