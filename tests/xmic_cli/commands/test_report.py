from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from data_manifests.errors import MissingUpstream
from tests.pipelines.report.evaluations import both
from xmic_cli.commands.report import report

NUMBERS = {"top1": 25.0, "top5": 75.0, "class_mean": 20.0, "n_evaluated": 3, "n_official": 4}
METRICS: dict[str, Any] = {
    "schema": 3,
    "run": {
        "name": "xmic-run",
        "method": "xmic",
        "preset": "official",
        "seed": 0,
        "key": "k",
        "recipe": None,
        "epochs": None,
    },
    "source": {"dataset": "clips", "split": "train"},
    "target": {"dataset": "clips", "split": "val"},
    "within": True,
    "protocol": {},
    "random_weights": ["vit-random"],
    "mixed": [],
    "hand_fallback_rate": None,
    "labels": {"noun": {**NUMBERS, "classes": 4, "classes_present": 4, "recordings": {"a": [1, 3]}}},
    "failures": {},
    "versions": {},
    "commands": [],
}


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.command()(report)
    return app


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "evaluations" / "xmic-run" / "clips-val"
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(METRICS))
    return tmp_path


def test_one_screen_has_the_filled_rows_and_columns_and_the_page(app: typer.Typer, workspace: Path) -> None:
    result = CliRunner().invoke(app, ["-w", str(workspace)])
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "",
        "top-1 in percent; * lacks clips",
        "method\ttrained on\tnoun within\tmarks",
        "xmic official\tclips\t25.0*\tR",
    ]
    assert "warning: vit-random has random weights; the rows marked R mean nothing" in result.stderr
    assert "gaps; --tables prints all tables and the commands that fill them" in result.stderr
    assert f"html: {workspace / 'reports' / 'report' / 'index.html'}" in result.stderr
    assert "run: " not in result.stderr


@pytest.mark.parametrize("width", [80, 40])
def test_a_report_of_many_runs_is_one_screen(
    app: typer.Typer, tmp_path: Path, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(25):
        for made in (*both("zero-shot", right=4), *both("xmic", right=5)):
            made["run"]["name"] += f"-{number}"
            folder = f"{made['target']['dataset']}-val"
            file = tmp_path / "evaluations" / made["run"]["name"] / folder / "metrics.json"
            file.parent.mkdir(parents=True)
            file.write_text(json.dumps(made))
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    typer.main.get_command(app).main(["-w", str(tmp_path)], standalone_mode=False)
    printed = capsys.readouterr()
    lines = re.sub(r"\x1b\[[\d;]*m", "", printed.out).splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) + len(printed.err.splitlines()) <= 50
    assert "more rows with --tables" in printed.err


def test_all_tables_are_printed_and_warnings_gaps_and_paths_are_noted(app: typer.Typer, workspace: Path) -> None:
    result = CliRunner().invoke(app, ["-w", str(workspace), "--name", "mine", "--tables"])
    assert result.exit_code == 0, result.output
    head, row, blank, title = result.stdout.splitlines()[:4]
    assert head.split("\t")[:7] == ["method", "run", "source", "within", "cross", "marks", "noun within"]
    assert row.split("\t")[:8] == [
        "xmic official",
        "xmic-run",
        "clips train",
        "clips val",
        "–",
        "R",
        "25.00* (3/4)",
        "–",
    ]
    assert blank == ""
    assert title.startswith("Table 1: within and across datasets; trained on clips, evaluated on clips val")
    assert "Table 4 (conditioning streams) has no runs yet; run: xmic train clips" in result.stderr
    assert "warning: vit-random has random weights; the rows marked R mean nothing" in result.stderr
    assert "xmic-run is not evaluated on another dataset; run: xmic evaluate xmic-run --cross DATASET" in result.stderr
    page = workspace / "reports" / "mine" / "index.html"
    assert f"html: {page}" in result.stderr
    assert page.is_file()


def test_the_paper_s_tables_follow_with_what_fills_and_differences(app: typer.Typer, tmp_path: Path) -> None:
    coop = both("coop", right=5)
    for name, counts in coop[1]["labels"]["noun"]["recordings"].items():
        counts[0] += 50 if int(name[1:]) % 2 else -50
    for made in (*both(), *coop):
        file = tmp_path / "evaluations" / made["run"]["name"] / f"{made['target']['dataset']}-val" / "metrics.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(made))
    lines = CliRunner().invoke(app, ["-w", str(tmp_path), "--tables"]).stdout.splitlines()
    xmic = next(line for line in lines if line.startswith("xmic official\trecipe published")).split("\t")
    assert xmic[2:4] == ["0", "30.00 [18.1–45.4] (Wilson) paper 33.54 (-3.54)"]
    missing = next(line for line in lines if line.startswith("cocoop\tno run yet")).split("\t")
    assert (missing[3], missing[-1]) == ("paper 30.00", "xmic train ego4d --method cocoop")
    assert "coop official\txmic official\tnoun within\t+20.00\tno interval\t\t" in lines
    assert "coop official\txmic official\tnoun cross\t+20.00\t18.5 to 21.5\t0.0002\t0.0004" in lines
    assert any("20.00 [8.1–41.6] (Wilson) (few)" in line for line in lines)


def test_json_is_the_same_with_numbers_and_paths(app: typer.Typer, workspace: Path) -> None:
    result = CliRunner().invoke(app, ["-w", str(workspace), "--json"])
    said = json.loads(result.stdout)
    assert said["rows"][0]["noun within"] == 25.0
    assert said["rows"][0]["noun within clips"] == "3/4"
    assert said["rows"][0]["noun cross"] is None
    assert said["random_weights"] == ["vit-random"]
    assert Path(said["csv"]) == workspace / "reports" / "report" / "tables" / "results.csv"


def test_without_evaluations_it_stops_with_the_code_for_missing_upstream(app: typer.Typer, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["-w", str(tmp_path)])
    assert isinstance(result.exception, MissingUpstream)
    assert result.exception.exit_code == 5
    assert "Run xmic evaluate" in str(result.exception)
