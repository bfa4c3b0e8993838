from __future__ import annotations

import json

import pytest

from xmic_cli.app import run
from xmic_cli.evaluated import harmonic_means


@pytest.fixture
def trained(embedded, capsys):
    assert run(["train", "-w", str(embedded.root), "--set", "epochs=2", "--set", "batch=4"]) == 0
    capsys.readouterr()
    return embedded


def test_within_and_cross_with_their_harmonic_mean(trained, capsys):
    assert run(["evaluate", "--cross", "other", "-w", str(trained.root), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    within, cross = found["results"]
    assert (within["target"]["dataset"], cross["target"]["dataset"]) == ("mine", "other")
    means = {item["label"]: item["hm"] for item in found["harmonic_means"]}
    a, b = within["labels"]["verb"]["top1"], cross["labels"]["verb"]["top1"]
    assert means["verb"] == pytest.approx(2 * a * b / (a + b) if a and b else 0)


def test_the_table_gives_every_number_its_share_of_clips(trained, capsys):
    assert run(["evaluate", "-w", str(trained.root)]) == 0
    out = capsys.readouterr().out
    assert "top-1 %" in out
    assert out.count("6/6") == 2
    assert run(["evaluate", "-w", str(trained.root)]) == 0
    assert "nothing to do, the predictions were up to date" in capsys.readouterr().err


def test_without_a_run_the_command_is_named(embedded, capsys):
    assert run(["evaluate", "-w", str(embedded.root)]) == 5
    assert "no such run; there is none. Run xmic train" in capsys.readouterr().err


def test_a_head_without_clips_has_no_harmonic_mean():
    def result(dataset, within, top1):
        return {"target": {"dataset": dataset, "split": "val"}, "within": within, "labels": {"noun": {"top1": top1}}}

    assert harmonic_means([result("a", True, 50.0), result("b", False, None)]) == []
    assert harmonic_means([result("b", False, 50.0)]) == []
