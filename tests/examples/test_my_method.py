"""The example of a method of one's own, used as its first lines say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from xmic_cli.app import run

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(autouse=True)
def _path(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)


def test_it_fits_on_a_page():
    assert len((EXAMPLES / "my_method.py").read_text().splitlines()) <= 80


def test_it_keeps_every_promise_of_a_method(capsys):
    assert run(["check-plugin", "my_method:Corrected", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["kind"] == "method"
    assert all(item["kept"] for item in found["promises"])


def test_it_trains_and_is_evaluated_across_datasets_by_name_alone(embedded, capsys):
    where = ["-w", str(embedded.root), "--json"]
    settings = ["--set", "rank=8", "--set", "epochs=2", "--set", "warmup_epochs=0", "--set", "batch=4"]
    assert run(["train", "--method", "my_method:Corrected", *settings, *where]) == 0
    heads = json.loads(capsys.readouterr().out)["heads"]
    assert heads["noun"]["parameters"] == 2 * 64 * 8
    assert run(["evaluate", "--cross", "other", *where]) == 0
    metrics = json.loads(capsys.readouterr().out)
    assert "my-method-corrected-official-mine" in json.dumps(metrics)
    (lines,) = embedded.root.glob("runs/my-method-corrected-*/noun/metrics.jsonl")
    assert json.loads(lines.read_text().splitlines()[-1])["correction_norm"] > 0
    assert run(["report", "-w", str(embedded.root)]) == 0


def test_its_presets_and_settings_are_listed(capsys):
    assert run(["methods", "my_method:Corrected"]) == 0
    out = capsys.readouterr().out
    assert "small\t4,096\tmade up for this example\n" in out
    assert "small\trank\t4\tmade up for this example\nsmall\tlr\t0.001\tmade up for this example\n" in out
    assert "rank\t16\twhole number\trank of the learned map" in out
