from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.engine.workspace import Workspace
from tests.pipelines.report.answered_world import answer

NUMBERS = {
    "top1": 25.0,
    "top5": 100.0,
    "class_mean": 20.0,
    "n_evaluated": 4,
    "n_official": 4,
    "classes": 4,
    "classes_present": 3,
    "recordings": {"P01_01": [1, 2], "P01_02": [0, 2]},
}
METRICS: dict[str, Any] = {
    "schema": 3,
    "run": {
        "name": "xmic-official-clips-s0-1a2b3c4d",
        "method": "xmic",
        "preset": "official",
        "seed": 0,
        "key": "1a2b3c4d" * 8,
        "recipe": "published",
        "epochs": 15,
    },
    "source": {"dataset": "clips", "split": "train"},
    "target": {"dataset": "clips", "split": "val"},
    "within": True,
    "protocol": {"encoder": "vit-b-16-01234567", "v2": None, "streams": "both", "prompt": "{}"},
    "random_weights": [],
    "mixed": [],
    "hand_fallback_rate": None,
    "labels": {"noun": NUMBERS, "verb": {**NUMBERS, "top1": 50.0}},
    "failures": {},
    "versions": {"torch": "2.14.1", "xmic": "0.1.0"},
    "commands": ["xmic evaluate xmic-official-clips-s0-1a2b3c4d --cross clips"],
}


@pytest.fixture
def metrics() -> Callable[..., dict[str, Any]]:
    """``metrics(dataset="other", run=…, **parts)``: the content of a metrics.json."""

    def make(dataset: str = "clips", split: str = "val", run: str | None = None, **parts: Any) -> dict[str, Any]:
        made = copy.deepcopy(METRICS) | parts
        made["target"] = {"dataset": dataset, "split": split}
        made["within"] = dataset == made["source"]["dataset"]
        made["run"] = made["run"] | ({"name": run} if run else {})
        return made

    return make


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "ws")


@pytest.fixture
def evaluated(workspace: Workspace) -> Callable[..., Path]:
    """``evaluated(metrics, …)`` writes each where an evaluation would; returns the last file."""

    def write(*all_metrics: dict[str, Any]) -> Path:
        for made in all_metrics:
            folder = made["run"]["name"].replace("/", "_")
            target = f"{made['target']['dataset']}-{made['target']['split']}".replace("/", "_")
            file = workspace.root / "evaluations" / folder / target / "metrics.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(made), encoding="utf-8")
        return file

    return write


@pytest.fixture
def configured(workspace: Workspace) -> Callable[..., None]:
    """``configured(run, **protocol)`` writes the configuration of a run of X-MIC, as far as a report reads it."""

    def write(run: str, **protocol: Any) -> None:
        under = {"encoder": "e", "v2": "e", "hands": "hand-m30-32px-best", "streams": "both", "classify": "hand"}
        made = {"method": "xmic", "preset": "official", "seed": 0, "recipe": None, "source": {"dataset": "ego4d"}}
        folder = workspace.runs / run / "noun"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps({**made, "protocol": under | protocol}), encoding="utf-8")

    return write


@pytest.fixture(scope="session")
def answered_once(embedded_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded workspace with X-MIC and zero-shot scored on both datasets; not to be written to."""
    folder = tmp_path_factory.mktemp("answered") / "work"
    shutil.copytree(embedded_once / "work", folder)
    answer(Workspace.open(folder))
    return folder


@pytest.fixture
def answered(answered_once: Path, tmp_path: Path) -> Workspace:
    """A copy of that workspace to play with."""
    shutil.copytree(answered_once, tmp_path / "answered")
    return Workspace.open(tmp_path / "answered")
