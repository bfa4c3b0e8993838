"""Metrics and result cards small enough to change one thing of: for tests of what is made of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipelines.engine.digest import digest_json
from pipelines.evaluate.metrics_file import SCHEMA as METRICS_SCHEMA
from pipelines.evaluate.result_card import KIND, LABEL_SPACE, METRIC_VERSIONS, SCHEMA

NUMBERS: dict[str, Any] = {
    "top1": 25.0,
    "top5": 100.0,
    "class_mean": 20.0,
    "n_evaluated": 4,
    "n_official": 5,
    "classes": 4,
    "classes_present": 3,
    "recordings": {"r": [1, 2], "s": [0, 2]},
}
METRICS: dict[str, Any] = {
    "schema": METRICS_SCHEMA,
    "run": {
        "name": "theirs",
        "method": "scored: theirs",
        **dict.fromkeys(("preset", "seed", "key", "recipe", "epochs", "select_target")),
        "leaking": False,
    },
    "xmic_vector": "own",
    "source": None,
    "target": {"dataset": "mine", "split": "val"},
    "within": False,
    "vocabulary": {},
    "labels": {"noun": NUMBERS},
    "actions": None,
    "epic": None,
    "random_weights": [],
    "mixed": [],
    "pretrained_on": {},
    "protocol": {},
    "hand_fallback_rate": None,
    "failures": {},
    "versions": {"xmic": "0"},
    "commands": [],
}


def write_card_file(
    file: Path, name: str, noun: float | None, *, dataset: str = "mine", evaluated: int = 6, source: str | None = None
) -> Path:
    """A card of six clips with one number, or none."""
    protocol = {
        "dataset": dataset,
        "split": "val",
        "clips": {"count": 6, "sha256": "c"},
        "classes": {},
        "label_space": LABEL_SPACE,
        "vocabulary": {},
        "metrics": METRIC_VERSIONS,
    }
    sizes = {"n_evaluated": evaluated, "n_official": 6}
    numbers = {"noun top1": {"value": noun, "interval": [1, 99], "few": False, **sizes}} if noun is not None else {}
    card = {
        "kind": KIND,
        "schema_version": SCHEMA,
        "protocol_sha256": digest_json(protocol),
        "protocol": protocol,
        "model": {"name": name, "method": name, **dict.fromkeys(("preset", "seed", "key", "recipe"))},
        "source": {"dataset": source, "split": "train"} if source else None,
        "coverage": {"noun": [evaluated, 6]},
        "numbers": {**numbers, "verb top1": {"value": 1.0, "interval": None, "few": False, **sizes}},
        "warnings": [],
        "predictions": {"sha256": name, "given": {}},
        "versions": {},
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(card))
    return file
