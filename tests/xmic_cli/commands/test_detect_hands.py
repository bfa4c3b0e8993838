from __future__ import annotations

import json
import shutil

import pytest

from pipelines.engine.workspace import Workspace
from pipelines.hands import model_file
from pipelines.hands.stage import boxes_in_order
from tests.pipelines.hands.mediapipe_stand_in import install_stand_in, points_in, set_hands
from xmic_cli.app import run


def test_without_weights_and_without_the_packaged_model_it_says_which_and_the_way_around(
    embedded, capsys, tmp_path, monkeypatch
):
    monkeypatch.setattr(model_file, "PACKAGED", tmp_path / "none.safetensors")
    assert run(["detect-hands", "-w", str(embedded.root)]) == 2
    error = capsys.readouterr().err
    assert "--weights is missing: name an Ultralytics detection model (.pt) with a class 'hand'" in error
    assert "xmic embed --encoder NAME --streams full" in error


def test_weights_that_are_not_there_exit_3(embedded, tmp_path, capsys):
    assert run(["detect-hands", "-w", str(embedded.root), "--weights", str(tmp_path / "none.pt")]) == 3
    assert "none.pt" in capsys.readouterr().err


def test_cuda_where_there_is_none_exits_2(embedded, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert run(["detect-hands", "-w", str(embedded.root), "--weights", "x.pt", "--device", "cuda"]) == 2
    assert "--device cuda: PyTorch finds no CUDA device here" in capsys.readouterr().err
    assert run(["detect-hands", "-w", str(embedded.root), "--weights", "x.pt", "--device", "tpu"]) == 2
    assert "--device tpu: expected auto, cpu, cuda, cuda:N or mps" in capsys.readouterr().err


def with_table(workspace, tmp_path):
    rows = [f"val{video}.mp4,{at},0.25,0.25,0.75,0.75,0.9" for video in range(6) for at in (0.125, 0.375, 0.625, 0.875)]
    (tmp_path / "hands.csv").write_text("\n".join(["video,time_s,x0,y0,x1,y1,score", *rows]))
    boxes = ["--detector", "boxes", "--boxes", str(tmp_path / "hands.csv"), "--boxes-tolerance", "0.1"]
    return ["detect-hands", "mine", "--split", "val", "-w", str(workspace.root), *boxes]


def test_boxes_of_a_table_are_imported_once(embedded: Workspace, tmp_path, capsys):
    command = [*with_table(embedded, tmp_path), "--json"]
    for made in (1, 0):
        assert run(command) == 0
        (stage,) = json.loads(capsys.readouterr().out)["stages"]
        assert (stage["made"], stage["rows"], stage["failures"]) == (made, 24, {})


def test_boxes_by_another_detector_than_other_datasets_have_are_warned_of(embedded: Workspace, tmp_path, capsys):
    shutil.rmtree(embedded.root / "hands" / "mine")
    for more in (["--dry-run"], []):
        assert run([*with_table(embedded, tmp_path), *more]) == 0
        error = capsys.readouterr().err
        assert "warning: the boxes of mine are by boxes-hands, those of other by fake-hands-00000000." in error
        assert "--allow-mixed" in error


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ["--detector", "epic-100doh"],
            "--boxes is missing: --detector epic-100doh needs the folder with EPIC-KITCHENS'",
        ),
        (["--detector", "boxes"], "--boxes is missing: --detector boxes needs a table of boxes (.parquet or .csv)"),
        (["--boxes", "b.csv"], "--boxes b.csv: the detector yolo finds boxes itself"),
        (
            ["--detector", "boxes", "--boxes", "b.csv", "--weights", "w.pt"],
            "--weights w.pt: --detector boxes reads boxes",
        ),
        (["--detector", "epic-100do", "--weights", "w.pt"], "Did you mean 'epic-100doh'?"),
        (
            ["--detector", "mediapipe", "--weights", "w.pt"],
            "--weights w.pt: it is for --detector yolo; mediapipe has its own networks",
        ),
        (["--detector", "mediapipe", "--image-size", "320"], "--image-size 320: it is for --detector yolo"),
        (["--detector", "mediapipe", "--precision", "bf16"], "--precision bf16: it is for --detector yolo"),
    ],
)
def test_what_does_not_go_together_exits_2_and_says_what_to_pass(embedded, capsys, arguments, text):
    assert run(["detect-hands", "-w", str(embedded.root), *arguments]) == 2
    assert text in capsys.readouterr().err


def test_boxes_that_are_not_there_exit_3(embedded, tmp_path, capsys):
    for detector, text in (("boxes", "no such file"), ("epic-100doh", "no such folder")):
        command = ["detect-hands", "-w", str(embedded.root), "--detector", detector, "--boxes", str(tmp_path / "none")]
        assert run(command) == 3
        assert text in capsys.readouterr().err


def test_mediapipe_finds_the_hands_of_a_split_once(embedded: Workspace, tmp_path, capsys, monkeypatch):
    install_stand_in(tmp_path, monkeypatch)
    set_hands(("Left", 0.7, points_in(0.2, 0.2, 0.6, 0.6)))
    command = ["detect-hands", "mine", "--split", "val", "-w", str(embedded.root), "--detector", "mediapipe", "--json"]
    for made in (1, 0):
        assert run(command) == 0
        (stage,) = json.loads(capsys.readouterr().out)["stages"]
        assert (stage["made"], stage["rows"], stage["failures"]) == (made, 24, {})
    (folder,) = embedded.root.rglob("mediapipe-0.10.14-*")
    ((_, boxes), *_) = boxes_in_order(next(folder.glob("*.parquet")))
    assert [(box.side, box.score) for box in boxes] == [("right", pytest.approx(0.7))]
