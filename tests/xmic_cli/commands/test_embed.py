from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.pipelines.embed.encoders.lavila_checkpoint import MODEL, SIZES, write_checkpoint
from tests.pipelines.embedded_world import add_dataset
from xmic_cli.app import run

TINY = Path(__file__).resolve().parents[3] / "examples" / "tiny-clip.json"
SMALL = ["--set", "epochs=1", "--set", "batch=4", "--set", "heads=2", "--set", "head_ratio=4"]


def test_random_weights_are_refused_and_with_the_flag_said_in_the_header(embedded, capsys):
    command = ["embed", "mine", "--split", "val", "-w", str(embedded.root), "--encoder", f"open_clip:{TINY}/random"]
    assert run(command) == 2
    assert "--allow-random-weights" in capsys.readouterr().err
    command += ["--streams", "full", "--precision", "fp32", "--allow-random-weights", "--batch-size", "8", "--json"]
    for made in ([1, 1, 1], [0, 0, 0]):
        assert run(command) == 0
        assert [stage["made"] for stage in json.loads(capsys.readouterr().out)["stages"]] == made
    from pipelines.engine.shards import read_footer

    (part,) = (embedded.root / "embeddings/mine/val").glob("*/open-clip-tiny-clip-random-*/full/part-*")
    provenance = read_footer(part).provenance
    assert provenance["random_weights"] is True
    assert provenance["precision"] == "fp32"
    assert provenance["normalised"] is False


def test_the_precision_is_decided_once_for_a_workspace(embedded, capsys, monkeypatch):
    from pipelines.engine.workspace import Workspace

    command = ["embed", "mine", "--split", "val", "-w", str(embedded.root), "--encoder", f"open_clip:{TINY}/random"]
    command += ["--streams", "full", "--no-text", "--allow-random-weights", "--device", "cpu"]
    monkeypatch.setattr("pipelines.chain.stages.resolve_precision", lambda asked, device: "fp32")
    assert run(command) == 0
    monkeypatch.setattr("pipelines.chain.stages.resolve_precision", lambda asked, device: "bf16")
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
    assert "it has no text tower, so it cannot embed class names. Pass --no-text" in capsys.readouterr().err


def test_variants_of_the_class_names_lie_beside_the_official_ones(embedded, capsys):
    command = ["embed", "mine", "--split", "val", "-w", str(embedded.root), "--encoder", f"open_clip:{TINY}/random"]
    command += ["--streams", "full", "--precision", "fp32", "--allow-random-weights", "--json"]
    for names, made in (("official", [1, 1, 1]), ("synonyms", [0, 1, 1]), ("official", [0, 0, 0])):
        assert run([*command, "--names", names]) == 0
        assert [stage["made"] for stage in json.loads(capsys.readouterr().out)["stages"]] == made
    (folder,) = (embedded.root / "text/mine").glob("open-clip-tiny-*")
    assert {file.stem for file in folder.glob("noun-*")} == {"noun-bare", "noun-bare-synonyms"}


@pytest.fixture
def spec(tmp_path):
    return f"lavila:{MODEL}={write_checkpoint(tmp_path / 'lavila.pth')}"


def said(capsys, *arguments):
    capsys.readouterr()
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_clip_vector_is_classified_and_conditioned_on_frames_from_checkpoint_to_report(embedded, spec, capsys):
    space = ["-w", str(embedded.root)]
    embed = [*space, "--encoder", spec, "--precision", "fp32", "--clip-frames", "4"]
    made = said(capsys, "embed", *embed)["stages"]
    assert [item["rows"] for item in made if item["folder"].endswith("clip")] == [18, 6, 6]
    assert all(item["made"] == 0 for item in said(capsys, "embed", *embed)["stages"])
    trained = said(capsys, "train", *space, "--encoder", spec, "--classify", "clip", "--label", "noun", *SMALL)
    config = json.loads((embedded.root / "runs" / trained["run"] / "noun" / "config.json").read_text())
    assert config["dims"] == {"frames": SIZES.dim, "hand": SIZES.dim, "full": SIZES.dim}
    metrics = said(capsys, "evaluate", *space, "--cross", "other")["results"]
    for result in metrics:
        assert result["pretrained_on"] == {result["protocol"]["encoder"]: "Ego4D"}
        assert (result["protocol"]["classify"], result["protocol"]["clip_frames"]) == ("clip", 4)
        assert result["labels"]["noun"]["n_evaluated"] == result["labels"]["noun"]["n_official"]
    rows = said(capsys, "report", *space)["rows"]
    assert {(row["marks"], row["pretrained_on"]) for row in rows} == {("P", "Ego4D")}


def test_an_encoder_of_single_frames_has_no_clip_stream(embedded, capsys):
    command = ["embed", "-w", str(embedded.root), "--encoder", "pocket", "--clip-frames", "4"]
    assert run(command) == 2
    assert "--clip-frames 4: pocket makes vectors of single frames. Only lavila" in capsys.readouterr().err


def test_a_number_of_frames_that_the_plan_does_not_have_is_refused_before_any_work(embedded, spec, capsys):
    assert run(["embed", "-w", str(embedded.root), "--encoder", spec, "--clip-frames", "3"]) == 2
    assert "has 4 segments; expected a divisor of it" in capsys.readouterr().err


def test_several_devices_make_the_bytes_of_one(tmp_path, make_video, capsys):
    from pipelines.engine.workspace import Workspace

    space = Workspace.open(tmp_path / "work")
    add_dataset(space, tmp_path, make_video, splits=("val",), hands=False, groups=3)
    command = ["embed", "mine", "-w", str(space.root), "--encoder", f"open_clip:{TINY}/random", "--precision", "fp32"]
    command += ["--streams", "full", "--allow-random-weights", "--batch-size", "4", "--workers", "2", "--json"]
    made = []
    for devices in (["--device", "cpu"], ["--devices", "cpu,cpu"]):
        assert run([*command, *devices]) == 0
        frames, *_ = json.loads(capsys.readouterr().out)["stages"]
        shards = list((space.root / "embeddings/mine/val").glob("*/open-clip-tiny-clip-random-*/full/part-*"))
        assert frames["made"] == frames["shards"] == len(shards) > 1
        made.append({shard.name: shard.read_bytes() for shard in shards})
        for shard in shards:
            shard.unlink()
    assert made[0] == made[1]
    assert run([*command, "--device", "cpu", "--devices", "cpu,cpu"]) == 2
    assert "leave one of the two out" in capsys.readouterr().err
