from __future__ import annotations

import json

from xmic_cli.app import run


def test_status_as_json_and_as_text(embedded, capsys):
    assert run(["status", "-w", str(embedded.root), "--json"]) == 0
    stages = json.loads(capsys.readouterr().out)["stages"]
    assert {"done", "stale", "missing", "damaged", "incomplete", "why", "next", "failures"} <= set(stages[0])
    next((embedded.root / "embeddings/mine/val").rglob("full/part-*")).unlink()
    assert run(["status", "-w", str(embedded.root)]) == 0
    printed = capsys.readouterr()
    assert "not made yet" in printed.err
    assert "next: xmic embed mine --split val" in printed.err
    assert "seg4-k1-native-q95" in printed.out


def test_an_empty_workspace_exits_5(tmp_path, capsys):
    assert run(["status", "-w", str(tmp_path / "none")]) == 5
    assert "Run xmic prepare first" in capsys.readouterr().err
