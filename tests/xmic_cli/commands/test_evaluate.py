from __future__ import annotations

import json

import pytest

from pipelines.train.backbone import Towers
from xmic_cli.app import run


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
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert rows[0][3] == "top-1 %"
    labels = [row for row in rows if row[2] in ("noun", "verb", "action") and len(row) == len(rows[0])]
    assert [row[2] for row in labels] == ["noun", "verb", "action"]
    assert {row[-1] for row in labels} == {"6/6"}
    assert all("(few)" in row[3] or "(Wilson, few)" in row[3] for row in labels)  # the latter at 0 and 100 %
    assert run(["evaluate", "-w", str(trained.root)]) == 0
    assert "nothing to do, the predictions were up to date" in capsys.readouterr().err


def test_the_tables_of_another_dataset_have_parts_and_references(trained, capsys):
    assert run(["evaluate", "--cross", "other", "-w", str(trained.root)]) == 0
    rows = [line.split("\t")[2:4] for line in capsys.readouterr().out.splitlines() if line.startswith("other\t")]
    for expected in ("shared (1)", "novel (3)", "hm of shared and novel", "novel called shared", "chance"):
        assert ["noun", expected] in rows
    assert ["noun", "target majority (oracle)"] in rows
    assert any(row[0] == "unseen action" for row in rows)


def test_a_list_of_clips_is_named_with_the_numbers(trained, capsys, tmp_path):
    from pipelines.engine.shards import read_rows

    file = tmp_path / "clips.txt"
    file.write_text(read_rows(trained.manifest("mine", "val") / "clips.parquet").column("clip_id")[0].as_py())
    assert run(["evaluate", "-w", str(trained.root), "--clips", str(file)]) == 0
    out, err = capsys.readouterr()
    assert "1/1" in out
    assert "mine val: over the 1 listed clips only (sha256 " in err
    file.write_text("nobody")
    assert run(["evaluate", "-w", str(trained.root), "--clips", str(file)]) == 3
    assert "1 of 1 ids are no clip of what is evaluated, the first is 'nobody'" in capsys.readouterr().err


def test_a_submission_needs_its_levels_and_epic(trained, capsys, tmp_path):
    command = ["evaluate", "-w", str(trained.root), "--submission", str(tmp_path / "test.json")]
    assert run(command) == 2
    assert "--submission FILE and --sls PT,TL,TD belong together" in capsys.readouterr().err
    assert run([*command, "--sls", "5,3,0"]) == 2
    assert "none of mine is EPIC-KITCHENS-100" in capsys.readouterr().err


def test_a_control_is_said_to_be_one(trained, capsys):
    assert run(["evaluate", "-w", str(trained.root), "--xmic-vector", "mean"]) == 0
    assert "a control: X-MIC vector mean, not each clip's own" in capsys.readouterr().err
    assert run(["evaluate", "-w", str(trained.root), "--xmic-vector", "none"]) == 2
    assert "--xmic-vector none: expected own, mean, shuffled or zero" in capsys.readouterr().err


def test_an_epoch_that_was_chosen_by_the_target_is_warned_of(embedded, capsys):
    options = ["--set", "epochs=1", "--label", "noun", "--select", "target", "--target", "other:val"]
    assert run(["train", "-w", str(embedded.root), *options]) == 0
    assert run(["evaluate", "-w", str(embedded.root), "--cross", "other"]) == 0
    assert "leaking: the epoch was chosen by labelled clips of other:val" in capsys.readouterr().err


def test_the_encoder_option_says_where_weights_lie(trained, capsys, monkeypatch):
    said = []

    def load(*args):
        said.append(args[-1])
        return Towers()

    monkeypatch.setattr("pipelines.evaluate.stage.load_towers", load)
    assert run(["evaluate", "-w", str(trained.root), "--encoder", "open_clip:ViT-B-16=moved.pt"]) == 0
    assert said == ["open_clip:ViT-B-16=moved.pt"]


def test_without_a_run_the_command_is_named(embedded, capsys):
    assert run(["evaluate", "-w", str(embedded.root)]) == 5
    assert "no such run; there is none. Run xmic train" in capsys.readouterr().err
