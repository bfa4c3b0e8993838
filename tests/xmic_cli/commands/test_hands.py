from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.hands import model_file
from pipelines.hands.finetune.network import make_network
from pipelines.hands.model_file import read_model, write_model
from tests.pipelines.hands.finetune.tiny import TINY_ARCHITECTURE
from tests.pipelines.hands.mediapipe_stand_in import install_stand_in, points_in, set_hands
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


def test_frames_without_labels_are_labelled_by_a_teacher_and_trained_on(
    tmp_path: Path, model: Path, dataset: Path, capsys: _Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_stand_in(tmp_path, monkeypatch)
    cv2.imwrite(str(dataset / "images" / "black.png"), np.zeros((40, 60, 3), np.uint8))
    arguments = ["hands", "train", str(dataset / "images"), "--teacher", "mediapipe", "--from", str(model)]
    arguments += ["--into", str(tmp_path / "new"), "--epochs", "1"]
    set_hands(("Left", 0.7, points_in(0.2, 0.2, 0.6, 0.6)))
    assert run(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "mediapipe labelled 1 pictures; left out: 1 without a hand, 0 where it is unsure"
    assert lines[1].endswith(" after 1 pictures")
    made = read_model(tmp_path / "new" / "hands.safetensors").made
    assert made["teacher"]["detector"].startswith("mediapipe-0.10.14-")
    assert (made["teacher"]["least_score"], made["pictures"]) == (0.1, "1 of a user")

    set_hands()  # what it found is remembered
    assert run([*arguments, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["already_done"], again["labelled"]) == (True, {"used": 1, "unsure": 0, "without": 1})
    assert run([*arguments, "--teacher-score", "0.2"]) == 3
    assert "a training with other settings, pictures or boxes" in capsys.readouterr().err


def test_a_teacher_and_its_boxes_do_not_go_together(tmp_path: Path, dataset: Path, capsys: _Capture) -> None:
    both = ["--teacher", "mediapipe", "--teacher-boxes", "b.csv"]
    assert run(["hands", "train", str(dataset / "images"), *both]) == 2
    assert "--teacher-boxes b.csv: --teacher mediapipe finds boxes itself" in capsys.readouterr().err
