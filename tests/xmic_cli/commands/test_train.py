from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipelines import towered_encoder
from xmic_cli.app import run

ROOT = Path(__file__).parents[3]

QUICK = ["--set", "epochs=2", "--set", "batch=4"]


def test_train_twice_trains_once(embedded, capsys):
    for trained in (["noun", "verb"], []):
        assert run(["train", "-w", str(embedded.root), "--json", *QUICK]) == 0
        assert json.loads(capsys.readouterr().out)["trained"] == trained
    assert run(["train", "-w", str(embedded.root), *QUICK]) == 0
    assert "noun: finished before, nothing to do" in capsys.readouterr().out


def test_several_trackers_are_named_with_commas_or_one_by_one(embedded, monkeypatch):
    named = []
    monkeypatch.setattr("pipelines.train.tracking.refuse_missing", named.append)
    monkeypatch.setattr("pipelines.train.tracking.Tracking.rows", lambda *_: None)
    for words in (["--log", "tensorboard,mlflow"], ["--log", "tensorboard", "--log", "mlflow"]):
        assert run(["train", "-w", str(embedded.root), *QUICK, *words]) == 0
    assert named == [("tensorboard", "mlflow")] * 2


def test_a_dry_run_shows_the_resolved_configuration_and_writes_nothing(embedded, capsys):
    assert run(["train", "-w", str(embedded.root), "--dry-run", "--json", *QUICK]) == 0
    found = json.loads(capsys.readouterr().out)
    config = found["config"]
    assert config["recipe"]["epochs"] == 2
    assert config["method_config"]["scale"] == 2.0
    assert found["heads"]["noun"]["steps"] == 4
    assert found["heads"]["verb"]["timed_steps"] == 3
    assert run(["train", "-w", str(embedded.root), "--dry-run", *QUICK]) == 0
    assert "2 steps per epoch, 4 in all; about 0 s by 3 timed steps on random input" in capsys.readouterr().out
    assert not (embedded.root / "runs").exists()


def test_boxes_of_other_datasets_by_another_detector_are_warned_of_before_training(embedded, capsys):
    for folder in embedded.root.glob("hands/other/*/*/fake-hands-00000000"):
        folder.rename(folder.with_name("yolo-hands-640-fp32-12345678"))
    warning = "warning: the boxes of mine are by fake-hands-00000000, those of other by yolo-hands-640-fp32-12345678."
    assert run(["train", "-w", str(embedded.root), "--dry-run", *QUICK]) == 0
    assert warning in capsys.readouterr().out
    assert run(["train", "-w", str(embedded.root), *QUICK]) == 0
    assert warning in capsys.readouterr().err
    assert run(["train", "-w", str(embedded.root), *QUICK]) == 0
    assert warning not in capsys.readouterr().err
    full = ["--streams", "full", "--classify", "full"]
    assert run(["train", "-w", str(embedded.root), *full, *QUICK]) == 0
    assert "warning: the boxes" not in capsys.readouterr().err


def test_a_time_limit_exits_130_and_the_same_command_goes_on(embedded, capsys):
    assert run(["train", "-w", str(embedded.root), "--time-limit", "0", *QUICK]) == 130
    assert "the same command goes on from there" in capsys.readouterr().err
    assert run(["train", "-w", str(embedded.root), *QUICK]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "xmik"], "There is no method 'xmik'. Did you mean 'xmic'?"),
        (["--preset", "best"], "has the presets official, xmic-code, paper"),
        (["--set", "epocs=3"], "the nearest is epochs"),
        (["--set", "epochs"], "expected KEY=VALUE"),
        (["--names", "best"], "--names best: expected official, fixed or synonyms"),
        (["--label", "adverb"], "--label adverb: expected noun, verb or both"),
        (["--recipe", "best"], "--recipe best: expected published or matched"),
        (["--select", "source-val"], "needs recordings that are held out: add --source-val 10%"),
        (["--source-val", "some"], "--source-val some: expected a percentage, for instance 10%"),
        (["--seed", "-1"], "Invalid value for '--seed'"),
        (["--seed", "99999999999999999999999"], "Invalid value for '--seed'"),
        (["--time-limit", "-1"], "--time-limit"),
        (["--time-limit", "nan"], "--time-limit"),
        (["--checkpoint-minutes", "-5"], "--checkpoint-minutes"),
        (["--log", "tensorboard,paper"], "--log paper: expected tensorboard, wandb or mlflow"),
        (["--target", "other"], "--target other: it is for --select target"),
    ],
)
def test_wrong_words_exit_2_and_name_the_right_ones(embedded, capsys, arguments, message):
    assert run(["train", "-w", str(embedded.root), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_matched_trials_are_printed_and_held_out_recordings_counted(embedded, capsys):
    options = ["--recipe", "matched", "--source-val", "34%", "--label", "noun", *QUICK]
    assert run(["train", "-w", str(embedded.root), *options]) == 0
    out = capsys.readouterr().out
    assert "3 held out" in out
    assert "epoch 2;" in out
    assert out.count("% of the held-out clips at epoch 2") == 5
    assert "learning rate 0.0003: " in out
    assert run(["train", "-w", str(embedded.root), "--json", *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["trained"] == []
    assert len(found["heads"]["noun"]["trials"]) == 5


def test_one_head_a_call(embedded, capsys):
    assert run(["train", "-w", str(embedded.root), "--limit", "1", "--json", *QUICK]) == 0
    assert json.loads(capsys.readouterr().out)["trained"] == ["noun"]


def test_sigterm_in_a_real_process_saves_and_the_resumed_run_has_the_same_bytes(embedded, tmp_path):
    import shutil
    import signal
    import subprocess
    import sys
    import time

    long = ["--set", "epochs=12", "--set", "batch=1", "--label", "noun"]
    command = [sys.executable, "-m", "xmic_cli", "train", *long]
    other = tmp_path / "other"
    shutil.copytree(embedded.root, other)
    for number, expected in ((signal.SIGTERM, 130), (signal.SIGUSR1, 130), (None, 0)):
        started = time.time()
        process = subprocess.Popen([*command, "-w", str(embedded.root)], stderr=subprocess.PIPE, text=True)
        while number and process.poll() is None:
            # A state written by this process: before that it may not be listening yet.
            if any(state.stat().st_mtime > started for state in embedded.root.glob("runs/*/noun/state.pt")):
                process.send_signal(number)
                break
            time.sleep(0.005)
        error = process.communicate(timeout=120)[1]
        assert process.returncode == expected, error
        if number:
            assert f"stopped ({number.name})" in error
    subprocess.run([*command, "-w", str(other)], check=True, capture_output=True)
    for name in ("weights.safetensors", "metrics.jsonl"):
        resumed, whole = (next(root.glob(f"runs/xmic-*/noun/{name}")).read_bytes() for root in (embedded.root, other))
        assert resumed == whole


@pytest.mark.parametrize(("option", "setting"), [("--lr", "lr"), ("--learning-rate", "lr"), ("--batch-size", "batch")])
def test_a_setting_given_as_an_option_is_named_with_its_form(option, setting, capsys):
    assert run(["train", "x", option, "1"]) == 2
    error = capsys.readouterr().err
    assert f"No such option: {option}. It is a setting of the method: --set {setting}=VALUE." in error
    assert "Possible" not in error


def test_two_processes_of_torchrun_train_one_run_and_one_answers(embedded, world, capsys):
    world.embed_dataset(embedded, "mine", ("train",), towered_encoder.lazy(), hands=False)
    options = ["--method", "coop", "--encoder", towered_encoder.SPEC, "--classify", "full"]
    words = ["train", "mine", "-w", str(embedded.root), "--device", "cpu", "--json", *options, *QUICK]
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "xmic_cli"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    ran = subprocess.run([*start, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    answer = json.loads(ran.stdout)
    assert answer["trained"] == ["noun", "verb"]
    for label in ("noun", "verb"):
        head = embedded.root / "runs" / answer["run"] / label
        assert json.loads((head / "config.json").read_text())["processes"] == 2
        assert sorted(path.name for path in head.iterdir()) == [
            "config.json", "metrics.jsonl", "summary.json", "weights.safetensors"
        ]  # fmt: skip
        lines = [json.loads(line) for line in (head / "metrics.jsonl").read_text().splitlines()]
        assert [line["clips"] for line in lines] == [6, 6]
    assert run(words) == 0
    assert json.loads(capsys.readouterr().out)["trained"] == []


def test_a_method_that_one_process_trains_is_refused_under_torchrun(embedded, capsys, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert run(["train", "-w", str(embedded.root), "--method", "zero-shot"]) == 2
    assert "zero-shot learns nothing: run xmic train without torchrun" in capsys.readouterr().err
    assert not (embedded.root / "runs").exists()
