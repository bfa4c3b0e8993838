from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pocket_kitchens import build as build_module
from pocket_kitchens.demo import run_demo
from xmic_cli.app import run


def test_the_table_has_zero_shot_and_xmic_on_both_datasets_with_intervals(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["demo", str(demo), "--small"]) == 0
    shown = capsys.readouterr()
    head, *rows = (line.split("\t") for line in shown.out.splitlines())
    assert head[:2] == ["method", "trained on"]
    assert sorted(row[:2] for row in rows) == [
        ["xmic (recipe custom)", "ego4d train"],
        ["xmic (recipe custom)", "epic train"],
        ["zero-shot", "ego4d train"],
        ["zero-shot", "epic train"],
    ]
    for row in rows:
        for cell in row[2:]:
            value, low, high = (float(part) for part in re.findall(r"[\d.]+", cell))
            assert 0 <= low <= high <= 100
            assert low - 0.5 <= value <= high + 0.5
    assert "the packaged hand model has seen such hands" in shown.err
    html = Path(re.search(r"report: (.+)", shown.err).group(1))  # type: ignore[union-attr]
    assert "xmic report" in html.read_text(encoding="utf-8")
    assert sum(line.startswith("  xmic ") for line in shown.err.splitlines()) == 3


def test_running_it_again_makes_nothing(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", str(demo), "--small", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["made"] == 0


def test_python_may_run_it_without_a_stop(demo: Path) -> None:
    assert run_demo(demo, "small", Machine(device="cpu", offline=True), Silent()).made == 0


def test_the_configuration_it_leaves_is_one_for_run(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", str(demo / "xmic.toml"), "--offline"]) == 0
    assert "nothing to do: everything was up to date" in capsys.readouterr().out


def test_nothing_is_mixed_random_or_missing(demo: Path) -> None:
    evaluations = [json.loads(file.read_text()) for file in (demo / "work").glob("evaluations/*/*/metrics.json")]
    assert len(evaluations) == 8
    for metrics in evaluations:
        assert metrics["mixed"] == []
        assert metrics["random_weights"] == []
        assert metrics["failures"] == {}
        assert metrics["protocol"]["encoder_spec"] == "pocket"
        for numbers in metrics["labels"].values():
            assert numbers["n_evaluated"] == numbers["n_official"] == 16


def test_a_folder_of_another_demo_is_left_alone(
    demo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_module, "_render", None)
    assert run(["demo", str(demo)]) == 3
    assert "Choose another folder" in capsys.readouterr().err
