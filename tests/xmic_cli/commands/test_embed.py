from __future__ import annotations

import json
from pathlib import Path

from xmic_cli.app import run

TINY = Path(__file__).resolve().parents[3] / "examples" / "tiny-clip.json"


def test_random_weights_are_refused_and_with_the_flag_said_in_the_header(embedded, capsys):
    command = ["embed", "mine", "--split", "val", "-w", str(embedded.root), "--encoder", f"open_clip:{TINY}/random"]
    assert run(command) == 2
    assert "--allow-random-weights" in capsys.readouterr().err
    command += ["--streams", "full", "--precision", "fp32", "--allow-random-weights", "--batch-size", "8", "--json"]
    for made in ([1, 1, 1], [0, 0, 0]):
        assert run(command) == 0
        assert [stage["made"] for stage in json.loads(capsys.readouterr().out)["stages"]] == made
    from pipelines.shards import read_footer

    (part,) = (embedded.root / "embeddings/mine/val").glob("*/open-clip-tiny-clip-random-*/full/part-*")
    provenance = read_footer(part).provenance
    assert provenance["random_weights"] is True
    assert provenance["precision"] == "fp32"
    assert provenance["normalised"] is False


def test_the_precision_is_decided_once_for_a_workspace(embedded, capsys, monkeypatch):
    from pipelines.workspace import Workspace

    command = ["embed", "mine", "--split", "val", "-w", str(embedded.root), "--encoder", f"open_clip:{TINY}/random"]
    command += ["--streams", "full", "--no-text", "--allow-random-weights", "--device", "cpu"]
    monkeypatch.setattr("pipelines.chain.resolve_precision", lambda asked, device: "fp32")
    assert run(command) == 0
    monkeypatch.setattr("pipelines.chain.resolve_precision", lambda asked, device: "bf16")
    capsys.readouterr()
    assert run(command) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert Workspace.open(embedded.root).precision == {"cpu": "fp32"}


def test_wrong_options_are_named(embedded, capsys):
    base = ["embed", "-w", str(embedded.root), "--encoder"]
    assert run([*base, "open_clip:ViT-B-16/openai", "--streams", "left"]) == 2
    assert "--streams left: expected full, hand or both" in capsys.readouterr().err
    assert run([*base, f"open_clip:{TINY}/random", "--allow-random-weights", "--names", "best"]) == 2
    assert "--names best: expected official, fixed or synonyms" in capsys.readouterr().err
    assert run([*base, f"open_clip:{TINY}/random", "--allow-random-weights", "--detector", "mine"]) == 5
    assert "no boxes of mine; there is fake-hands-00000000" in capsys.readouterr().err


def test_an_encoder_without_text_is_told_apart_before_any_work(embedded, capsys):
    command = ["embed", "-w", str(embedded.root), "--encoder", "timm:vit_tiny_patch16_224/random"]
    assert run([*command, "--allow-random-weights"]) == 2
    assert "it has no text tower, so it can not embed class names. Pass --no-text" in capsys.readouterr().err


def test_variants_of_the_class_names_lie_beside_the_official_ones(embedded, capsys):
    command = ["embed", "mine", "--split", "val", "-w", str(embedded.root), "--encoder", f"open_clip:{TINY}/random"]
    command += ["--streams", "full", "--precision", "fp32", "--allow-random-weights", "--json"]
    for names, made in (("official", [1, 1, 1]), ("synonyms", [0, 1, 1]), ("official", [0, 0, 0])):
        assert run([*command, "--names", names]) == 0
        assert [stage["made"] for stage in json.loads(capsys.readouterr().out)["stages"]] == made
    (folder,) = (embedded.root / "text/mine").glob("open-clip-tiny-*")
    assert {file.stem for file in folder.glob("noun-*")} == {"noun-bare", "noun-bare-synonyms"}
