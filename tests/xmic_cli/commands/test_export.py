from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.engine.workspace import Workspace
from xmic_cli.app import run


def test_a_run_is_exported_and_then_taken_by_its_folder(
    embedded: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = ["-w", str(embedded.root)]
    assert run(["train", *space, "--set", "epochs=1", "--set", "batch=4", "--label", "noun"]) == 0
    out = tmp_path / "shared run"
    capsys.readouterr()
    assert run(["export", *space, "--into", str(out), "--license", "apache-2.0", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["folder"] == str(out)
    assert set(found["files"]) == {
        "README.md",
        *(f"noun/{name}" for name in ("classes.json", "config.json", "summary.json", "weights.safetensors")),
    }
    assert run(["evaluate", str(out), "--cross", "other", *space]) == 0
    assert run(["export", *space, "--into", str(out)]) == 2
    assert "it is not empty" in capsys.readouterr().err
