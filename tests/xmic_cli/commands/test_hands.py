from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.hands import model_file
from pipelines.hands.finetune.network import make_network
from pipelines.hands.model_file import write_model
from tests.pipelines.hands.finetune.tiny import TINY_ARCHITECTURE
from xmic_cli.app import run

_Capture = pytest.CaptureFixture[str]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    state = make_network(TINY_ARCHITECTURE, 2, 3).state_dict()
    write_model(tmp_path / "m.safetensors", TINY_ARCHITECTURE, ("left hand", "right hand"), state, 64, {})
    return tmp_path / "m.safetensors"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    for folder in ("images", "labels"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "data" / "images" / "a.png"), np.full((40, 60, 3), 90, np.uint8))
    (tmp_path / "data" / "labels" / "a.txt").write_text("0 0.5 0.5 0.4 0.4\n")
    (tmp_path / "data" / "data.yaml").write_text("names: [hand]\ntrain: images\n")
    return tmp_path / "data"


def test_a_model_is_tuned_and_tested(tmp_path: Path, model: Path, dataset: Path, capsys: _Capture) -> None:
    arguments = ["hands", "train", str(dataset / "data.yaml"), "--from", str(model), "--into", str(tmp_path / "new")]
    assert run([*arguments, "--epochs", "1"]) == 0
    first = capsys.readouterr().out
    assert first.endswith(" after 1 pictures\n")
    assert run([*arguments, "--epochs", "1"]) == 0
    assert capsys.readouterr().out == f"{first.rstrip()}; finished before, nothing to do\n"
    tuned = str(tmp_path / "new" / "hands.safetensors")
    assert run(["hands", "test", tuned, str(dataset / "images"), str(dataset / "labels"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["frames"], found["hands"], found["model"]) == (1, 1, tuned)
    assert run(["hands", "test", tuned, str(dataset / "images"), str(dataset / "labels")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("1 hands in 1 frames: AP50 ")
    assert len(lines) == 6


def test_without_a_packaged_model_one_must_be_named(
    dataset: Path, capsys: _Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_file, "PACKAGED", dataset / "none.safetensors")
    assert run(["hands", "train", str(dataset / "data.yaml")]) == 2
    assert "--weights is missing" in capsys.readouterr().err
