from __future__ import annotations

import json
import re
import shlex
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
    lines = [line.split("\t") for line in shown.out.splitlines()]
    heads = [number for number, line in enumerate(lines) if line[:2] == ["method", "trained on"]]
    assert heads[0] == 0
    rows, differences = lines[1 : heads[1]], lines[heads[1] + 1 :]
    title = "xmic recommended (batch=8; fixed frames; warmup_epochs=2"
    titles = [f"{title})", f"{title}; frames reversed)", f"{title}; frames shuffled)"]
    assert sorted(row[:2] for row in rows) == sorted(
        [title, f"{source} train"] for title in [*titles, "zero-shot (classify=hand)"] for source in ("ego4d", "epic")
    )
    ways = (("ego4d", "ego4d"), ("ego4d", "epic"), ("epic", "epic"), ("epic", "ego4d"))
    assert [row[1:3] for row in differences] == [[f"{source} train", f"{target} val"] for source, target in ways]
    for row in differences:
        for cell in row[3:]:
            if "no interval" in cell:  # the same difference in every recording
                continue
            value, low, high = (float(part) for part in re.findall(r"[-+]?[\d.]+", cell))
            assert low - 0.1 <= value <= high + 0.1
    for row in rows:
        for cell in row[2:]:
            if "(" not in cell or "no interval" in cell:
                continue
            value, low, high = (float(part) for part in re.findall(r"[\d.]+", cell))
            assert 0 <= low <= high <= 100
            assert low - 0.5 <= value <= high + 0.5
    assert "the packaged hand model has seen such hands" in shown.err
    html = Path(re.search(r"shows a prediction: (.+)", shown.err).group(1))  # type: ignore[union-attr]
    page = html.read_text(encoding="utf-8")
    assert "xmic report" in page
    assert "answers a drawn video that no training has seen" in page
    assert sum(line.startswith("  xmic ") for line in shown.err.splitlines()) == 3


def test_the_last_line_is_a_command_that_predicts(
    demo: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["demo", str(demo), "--small"]) == 0
    said = re.search(r"Predict yourself: xmic (.+)", capsys.readouterr().err)
    assert said
    words = shlex.split(said.group(1))
    words[words.index("annotated")] = str(tmp_path)
    assert run(words) == 0
    assert capsys.readouterr().out
    assert list(tmp_path.rglob("*.annotated.mp4"))


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
    # Of each run two targets, and of the two X-MIC runs these on shuffled and on reversed frames as well.
    assert len(evaluations) == 16
    assert sum(metrics.get("frame_order", "own") != "own" for metrics in evaluations) == 8
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
