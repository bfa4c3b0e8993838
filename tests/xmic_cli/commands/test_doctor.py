from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from pipelines.doctor import checks as examination
from pipelines.doctor.checks import Dependency, Trial
from xmic_cli.commands.doctor import doctor

RICH = Dependency("rich", "rich")


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.command()(doctor)
    return app


def _with(monkeypatch: pytest.MonkeyPatch, *dependencies: Dependency, trials: tuple[Trial, ...] = ()) -> None:
    examine = examination.examine
    monkeypatch.setattr(examination, "examine", lambda workspace: examine(workspace, dependencies, trials))


def test_a_sound_machine_gives_exit_0_and_says_none_cached_plainly(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "nothing"))
    _with(monkeypatch, *examination.DEPENDENCIES, trials=examination.TRIALS)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["-w", str(tmp_path / "ws")])
    assert result.exit_code == 0, result.output
    assert "  ok rich " in result.stdout
    assert "--device auto is " in result.stdout
    assert "decoders: h264" in result.stdout
    assert "encoder pocket (14.3 MB): comes with xmic" in result.stdout
    assert "detector hands (5.3 MB): comes with xmic; xmic detect-hands takes it" in result.stdout
    other = "other encoders: none cached; with a network this fetches one: xmic embed --encoder open_clip:"
    assert other in result.stdout
    assert "other detectors: none cached" in result.stdout
    assert f"{tmp_path / 'ws'}: not there yet; xmic prepare makes it" in result.stdout
    assert "  ok a clip written, opened and decoded\n" in result.stdout
    assert "  ok a picture through the hand model that comes with xmic\n" in result.stdout
    assert "All required dependencies import, and all trials work." in result.stdout
    assert "takes some seconds" in result.stderr


def test_a_missing_dependency_gives_exit_3_and_the_command_that_installs_it(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with(monkeypatch, RICH, Dependency("xmic-test-nowhere", "xmic_test_nowhere"))
    result = CliRunner().invoke(app, ["-w", str(tmp_path)])
    assert result.exit_code == 3
    assert "!! xmic-test-nowhere (version unknown): not installed" in result.stdout
    assert "pip install 'xmic-test-nowhere'" in result.stdout
    assert "1 broken: xmic-test-nowhere" in result.stdout


def test_a_trial_that_fails_gives_exit_3_and_what_it_rests_on(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with(monkeypatch, RICH, trials=(Trial("no-such-trial", "a thing done", ("rich",)),))
    result = CliRunner().invoke(app, ["-w", str(tmp_path)])
    assert result.exit_code == 3
    assert "  !! a thing done: KeyError: 'no-such-trial' (pipelines/doctor/trials.py, line " in result.stdout
    assert "     it rests on rich " in result.stdout
    assert "1 broken: trial no-such-trial" in result.stdout


def test_json_is_one_object_with_the_same_verdict(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with(monkeypatch, Dependency("xmic-test-nowhere", "xmic_test_nowhere"))
    monkeypatch.setenv("XMIC_WORKSPACE", str(tmp_path / "named"))
    result = CliRunner().invoke(app, ["--json"])
    assert result.exit_code == 3
    said = json.loads(result.stdout)
    assert said["ok"] is False
    assert said["workspace"]["path"] == str(tmp_path / "named")
    assert said["dependencies"][0]["imports"] is False
