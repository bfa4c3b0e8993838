"""``xmic fetch`` and ``hf://`` runs, by the hub's real client against a stand-in hub."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.embed.encoders.spec import POCKET
from tests.pipelines.kitchen_world import Kitchen
from tests.stand_in_hub import TOKEN, StandInHub, stand_in_hub
from xmic_cli.app import run

_Capture = pytest.CaptureFixture[str]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInHub]:
    with stand_in_hub(tmp_path / "cache", monkeypatch) as served:
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield served


def test_a_run_is_pushed_fetched_and_predicts_offline_as_the_run_itself(
    hub: StandInHub, kitchen: Kitchen, tmp_path: Path, capsys: _Capture
) -> None:
    out, name = tmp_path / "out", kitchen.zero_shot
    push = ["export", name, "-w", str(kitchen.work), "--into", str(out), "--license", "mit", "--push", "me/run"]
    assert run(push) == 0
    assert f"pushed to {hub.url}/me/run; others use it as --run hf://me/run" in capsys.readouterr().out
    assert run(["fetch", "hf://me/run", POCKET, "--json"]) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert [file["of"] for file in files] == ["hf://me/run noun", "hf://me/run verb", POCKET, POCKET]
    assert all(Path(file["path"]).stat().st_size == file["bytes"] for file in files)
    asked = len(hub.asked)
    predict = ["predict", str(kitchen.video("a.mp4")), "--device", "cpu", "--workers", "1", "--format", "jsonl"]
    assert run([*predict, "--run", name, "-w", str(kitchen.work), "--cache", str(tmp_path / "one")]) == 0
    own = capsys.readouterr().out
    assert run([*predict, "--run", "hf://me/run", "-w", str(tmp_path / "new"), "--offline"]) == 0
    assert capsys.readouterr().out == own
    assert len(hub.asked) == asked


def test_an_exported_folder_is_pushed_as_it_is(
    hub: StandInHub, kitchen: Kitchen, tmp_path: Path, capsys: _Capture
) -> None:
    out = tmp_path / "out"
    export = ["export", kitchen.zero_shot, "-w", str(kitchen.work), "--into", str(out)]
    assert run(export) == 0
    assert f"to publish: xmic export {out} --push OWNER/REPO" in capsys.readouterr().out
    assert run(["export", str(out), "--push", "me/run"]) == 2
    assert "names no licence of the weights" in capsys.readouterr().err
    card = out / "README.md"
    card.write_text(card.read_text("utf-8").replace("---\n", "---\nlicense: mit\n", 1), "utf-8")
    assert run(["export", str(out), "--push", "me/run", "--private"]) == 0
    assert hub.repositories["me/run"].private
    assert hub.repositories["me/run"].files["README.md"] == card.read_bytes()


def test_nothing_is_written_where_the_upload_is_refused(
    hub: StandInHub, kitchen: Kitchen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: _Capture
) -> None:
    out = tmp_path / "out"
    export = ["export", kitchen.zero_shot, "-w", str(kitchen.work), "--into", str(out)]
    assert run([*export, "--push", "me/run"]) == 2
    assert "name the licence of the weights" in capsys.readouterr().err
    assert run([*export, "--license", "mit", "--push", "me"]) == 2
    assert run([*export, "--private"]) == 2
    monkeypatch.delenv("HF_TOKEN")
    assert run([*export, "--license", "mit", "--push", "me/run"]) == 2
    assert "Set HF_TOKEN" in capsys.readouterr().err
    assert not out.exists()
    assert hub.asked == []


def test_what_is_not_there_ends_with_one_line_and_the_code_for_missing_upstream(
    hub: StandInHub, capsys: _Capture
) -> None:
    assert run(["fetch", "hf://me/run"]) == 5
    assert "no such repository" in capsys.readouterr().err
    assert run(["fetch", "open_clip:ViT-B-16/openai", "--offline"]) == 5
    assert "On a machine with network run: xmic fetch open_clip:ViT-B-16/openai; then copy" in capsys.readouterr().err
    assert run(["fetch", "open_clip:ViT-B-16/nonsense"]) == 2
