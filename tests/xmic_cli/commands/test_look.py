from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from pipelines.engine.workspace import Workspace
from xmic_cli.commands.look import look


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.command()(look)
    return app


def test_counts_are_printed_and_checks_and_the_page_are_noted(app: typer.Typer, embedded: Workspace) -> None:
    result = CliRunner().invoke(app, ["mine", "-w", str(embedded.root), "--clips", "2"])
    assert result.exit_code == 0, result.output
    head, train, val = result.stdout.splitlines()
    assert head.split("\t")[:4] == ["split", "clips", "videos", "recordings"]
    assert train.split("\t")[:4] == ["train", "6", "6", "6"]
    assert val.startswith("val\t6")
    assert "check: train: 6 clips." in result.stderr
    page = embedded.look("mine") / "index.html"
    assert result.stderr.splitlines()[-1] == f"html: {page}"
    assert page.is_file()


def test_json_has_the_same_numbers(app: typer.Typer, embedded: Workspace) -> None:
    result = CliRunner().invoke(app, ["mine", "-w", str(embedded.root), "--json", "--split", "val", "--name", "x"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert Path(found["html"]) == embedded.report("x") / "index.html"
    [val] = found["splits"]
    assert (val["split"], val["clips"], val["classes"]) == ("val", 6, {"noun": 3, "verb": 3})
    assert 0 < val["hand_rate"] < 100
    assert found["next"] == []


def test_too_many_clips_are_refused(app: typer.Typer, embedded: Workspace) -> None:
    result = CliRunner().invoke(app, ["mine", "-w", str(embedded.root), "--clips", "101"])
    assert result.exit_code != 0
