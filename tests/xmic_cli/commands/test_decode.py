from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from xmic_cli.app import run


@pytest.fixture
def prepared(tmp_path, make_video):
    make_video(tmp_path / "a.mp4", seconds=1)
    (tmp_path / "clips.csv").write_text("video,start_s,stop_s,verb,noun\na.mp4,0,1,cut,bread\n")
    assert run(["-w", str(tmp_path / "w"), "prepare", "table", f"val={tmp_path / 'clips.csv'}", "--name", "mine"]) == 0
    return tmp_path / "w"


def test_the_workspace_may_stand_before_the_command_after_it_or_in_the_environment(prepared, capsys, monkeypatch):
    for arguments in (["-w", str(prepared), "decode"], ["decode", "-w", str(prepared)]):
        assert run([*arguments, "--dry-run"]) == 0
    monkeypatch.setenv("XMIC_WORKSPACE", str(prepared))
    assert run(["decode", "--dry-run"]) == 0
    assert capsys.readouterr().out.count("1 shards to make") == 3


def test_a_dry_run_says_what_why_and_how_much_and_does_nothing(prepared, capsys):
    capsys.readouterr()
    assert run(["decode", "-w", str(prepared), "--dry-run", "--json"]) == 0
    (plan,) = json.loads(capsys.readouterr().out)["plan"]
    assert plan["todo"] == [{"shard": plan["todo"][0]["shard"], "state": "missing", "why": "not made yet"}]
    assert (plan["rows"], plan["bytes"] > 0) == (16, True)
    assert not (prepared / "frames").exists()


def test_decode_twice_does_the_work_once(prepared, capsys):
    for made in (1, 0):
        capsys.readouterr()
        assert run(["decode", "mine", "--json", "-w", str(prepared), "--workers", "1"]) == 0
        assert json.loads(capsys.readouterr().out)["stages"][0]["made"] == made
    assert run(["decode", "-w", str(prepared)]) == 0
    assert "nothing to do" in capsys.readouterr().out


def test_a_video_that_comes_after_prepare_is_said_by_decode_and_status(tmp_path, make_video, capsys):
    make_video(tmp_path / "a.mp4", seconds=1)
    (tmp_path / "clips.csv").write_text("video,start_s,stop_s,verb,noun\na.mp4,0,1,cut,bread\nb.mp4,0,1,cut,bread\n")
    workspace = str(tmp_path / "w")
    table = ["prepare", "table", f"val={tmp_path / 'clips.csv'}", "--name", "mine", "-w", workspace]
    decode = ["decode", "mine", "-w", workspace, "--workers", "1"]
    assert run(table) == 0
    assert run(decode) == 0
    assert "there now" not in capsys.readouterr().err
    make_video(tmp_path / "b.mp4", seconds=1)
    said = f"1 video that was missing is there now, the first at {tmp_path / 'b.mp4'}: run the same xmic prepare table"
    for command in (decode, ["status", "-w", workspace]):
        assert run(command) == 0
        assert said in " ".join(capsys.readouterr().err.split())
    assert run(table) == 0
    capsys.readouterr()
    assert run([*decode, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["stages"][0]["rows"] == 32


def test_wrong_calls_exit_2_and_say_why(prepared, capsys):
    assert run(["decode", "-w", str(prepared), "--split", "traning"]) == 2
    assert "split 'traning': expected train, val (or validation) or test" in capsys.readouterr().err
    assert run(["decode", "-w", str(prepared), "--shard", "3/3"]) == 2
    assert "--shard 3/3: expected i/N with 0 <= i < N" in capsys.readouterr().err


def test_a_dataset_that_is_not_prepared_exits_5_and_names_what_is(prepared, capsys):
    assert run(["decode", "other", "-w", str(prepared)]) == 5
    assert "Prepared: mine (val). Run xmic prepare for it." in capsys.readouterr().err


def test_a_mistake_of_ours_in_a_worker_exits_1_at_once_with_the_frames_of_the_worker(
    tmp_path, make_video, capsys, monkeypatch
):
    make_video(tmp_path / "bug.mp4", seconds=1)
    (tmp_path / "clips.csv").write_text("video,start_s,stop_s,verb,noun\nbug.mp4,0,1,cut,bread\n")
    workspace = ["-w", str(tmp_path / "w")]
    assert run(["prepare", "table", f"val={tmp_path / 'clips.csv'}", "--name", "mine", *workspace]) == 0
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "pipelines" / "decode")
    monkeypatch.setattr(
        "pipelines.decode.worker.decode_video", importlib.import_module("mistaken_worker").decode_wrongly
    )
    capsys.readouterr()
    assert run(["decode", "--workers", "1", "--max-failures", "100%", *workspace]) == 1
    text = capsys.readouterr().err
    assert "in decode_wrongly\n" in text
    assert "TypeError: " in text
    assert text.splitlines()[-1].startswith("error: this is a bug in xmic; the lines above say where.")
    assert not list(tmp_path.glob("w/frames/**/part-*.parquet"))


def test_too_many_failures_exit_4_and_keep_what_succeeded(tmp_path, make_video, capsys):
    make_video(tmp_path / "a.mp4", seconds=1)
    (tmp_path / "b.mp4").write_text("no video")
    (tmp_path / "clips.csv").write_text("video,start_s,stop_s,verb,noun\na.mp4,0,1,cut,bread\nb.mp4,0,1,cut,bread\n")
    workspace = ["-w", str(tmp_path / "w")]
    assert run(["prepare", "table", f"val={tmp_path / 'clips.csv'}", "--name", "mine", *workspace]) == 0
    assert run(["decode", *workspace]) == 4
    assert "16 of 32 rows failed (16 not_a_video)" in capsys.readouterr().err
    assert run(["decode", "--max-failures", "50%", *workspace]) == 0
