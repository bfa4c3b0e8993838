from __future__ import annotations

from pathlib import Path

import pytest

from packaged_models.hands.__main__ import app
from packaged_models.hands.drawing import mesh as mesh_module
from pipelines.hands import model_file
from xmic_cli.app import run_app

_Capture = pytest.CaptureFixture[str]


def _run(*arguments: object) -> int:
    return run_app(app, "python -m packaged_models.hands", [str(argument) for argument in arguments])


def test_the_training_says_what_it_misses(tmp_path: Path, capsys: _Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mesh_module.shutil, "which", lambda name: None)
    assert _run("train", tmp_path) == 5
    assert "npm pack" in capsys.readouterr().err


def test_without_a_packaged_model_the_one_to_calibrate_must_be_named(
    tmp_path: Path, capsys: _Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_file, "PACKAGED", tmp_path / "none.safetensors")
    assert _run("calibrate", tmp_path) == 2
    assert "--weights is missing" in capsys.readouterr().err
