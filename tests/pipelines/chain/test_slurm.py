"""The jobs of ``xmic slurm``: what the scripts say, and all of them run by a stand-in for Slurm."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from data_manifests.errors import InputError, UsageError
from pipelines.chain.slurm import Chain, SlurmOptions, write_slurm
from pipelines.engine.workspace import DatasetSettings, Workspace
from tests.pipelines.chain.test_run import ROOT, artifacts, finish, xmic

_TASKS = 2
_STAND_IN = Path(__file__).with_name("stand_in_slurm.py")
_CONFIG = """\
workspace = "work"
[[dataset]]
name = "mine"
reader = "table"
files = ["clips.csv"]
videos = ["videos"]
[decode]
segments = 4
[hands]
detector = "boxes"
boxes = "boxes.csv"
[embed]
encoder = "pocket"
[[train]]
method = "zero-shot"
classify = "full"
[[train]]
set = { epochs = 1, batch = 3, warmup_epochs = 0 }
"""


def _chain(folder: Path, cells: int = 3, **facts: Any) -> Chain:
    given = {"workspace": None, "report": "xmic report -w work", "detects": True, **facts}
    return Chain(file=folder / "xmic.toml", cells=cells, **given)


def _read(files: list[Path]) -> dict[str, str]:
    return {path.name: path.read_text() for path in files}


def _settings(script: str) -> set[str]:
    return {line.removeprefix("#SBATCH --") for line in script.splitlines() if line.startswith("#SBATCH")}


def test_the_chain_is_a_job_a_stage_and_an_array_where_there_are_shares(tmp_path: Path) -> None:
    files = _read(write_slurm(_chain(tmp_path), SlurmOptions(out=tmp_path / "jobs", tasks=16)))
    assert list(files) == [
        *("1-prepare.sbatch", "2-decode.sbatch", "3-detect-hands.sbatch", "4-embed.sbatch", "5-train.sbatch"),
        *("6-report.sbatch", "submit.sh"),
    ]
    arrays = {name[0]: word for name, text in files.items() for word in _settings(text) if word.startswith("array=")}
    assert arrays == {"2": "array=0-15", "3": "array=0-15", "4": "array=0-15", "5": "array=0-2"}
    file = tmp_path / "xmic.toml"
    share = '--shard "$SLURM_ARRAY_TASK_ID/16" --wait-lock 5'
    assert f"xmic run {file} --only prepare &\n" in files["1-prepare.sbatch"]
    assert f"xmic run {file} --only decode {share} &\n" in files["2-decode.sbatch"]
    assert f"xmic run {file} --only embed {share} --device cuda &\n" in files["4-embed.sbatch"]
    assert f"xmic run {file} --cell $SLURM_ARRAY_TASK_ID --wait-lock 5 --device cuda &\n" in files["5-train.sbatch"]
    assert "xmic report -w work &\n" in files["6-report.sbatch"]
    assert os.access(tmp_path / "jobs/submit.sh", os.X_OK)


def test_the_options_are_lines_of_the_scripts_and_gpus_are_for_the_jobs_that_need_them(tmp_path: Path) -> None:
    options = SlurmOptions(
        out=tmp_path / "jobs", cpus=6, gpus=2, time="1-12", partition="cpu", gpu_partition="a100", account="lab"
    )
    files = _read(write_slurm(_chain(tmp_path), options))
    shared = {"cpus-per-task=6", "time=1-12", "account=lab", "requeue", "open-mode=append", "signal=B:USR1@120"}
    decode, embed = _settings(files["2-decode.sbatch"]), _settings(files["4-embed.sbatch"])
    assert decode - shared == {
        *("job-name=xmic-decode", "array=0-7", "partition=cpu", "output=logs/2-decode-%A_%a.log"),
    }
    assert embed - shared == {
        *("job-name=xmic-embed", "array=0-7", "partition=a100", "gpus=2", "output=logs/4-embed-%A_%a.log"),
    }
    assert "output=logs/6-report-%j.log" in _settings(files["6-report.sbatch"])


def test_without_gpus_hands_or_trainings_their_lines_and_jobs_are_left_out(tmp_path: Path) -> None:
    chain = _chain(tmp_path, cells=0, detects=False, workspace=tmp_path / "my work")
    files = _read(write_slurm(chain, SlurmOptions(out=tmp_path / "jobs", gpus=0)))
    assert list(files) == ["1-prepare.sbatch", "2-decode.sbatch", "3-embed.sbatch", "submit.sh"]
    words = {word.partition("=")[0] for text in files.values() for word in _settings(text)}
    assert not words & {"gpus", "partition", "account"}
    assert not [text for text in files.values() if "--device" in text]
    assert f"-w '{tmp_path}/my work' --only prepare &\n" in files["1-prepare.sbatch"]


def test_scripts_that_may_have_been_edited_are_kept(tmp_path: Path) -> None:
    options = SlurmOptions(out=tmp_path / "jobs")
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs/2-decode.sbatch").write_text("mine")
    with pytest.raises(InputError, match=r"2-decode\.sbatch: exists, and may have been edited\. Remove it, or name"):
        write_slurm(_chain(tmp_path), options)
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == ["2-decode.sbatch"]


@pytest.mark.parametrize("time", ["", "soon", "1:2:3:4", "1h"])
def test_a_time_limit_that_slurm_would_not_take_is_refused(tmp_path: Path, time: str) -> None:
    with pytest.raises(UsageError, match=f"--time {time}: expected minutes, "):
        SlurmOptions(out=tmp_path, time=time)


def _world(folder: Path, make_video: Any) -> None:
    (folder / "videos").mkdir(parents=True)
    rows, boxes = ["video,start_s,stop_s,verb,noun,split"], ["video,time_s,x0,y0,x1,y1,score"]
    actions = (("cut", "bread"), ("stir", "pot"), ("open", "jar"))
    for number in range(9):
        name, split = f"{number}.mp4", "train" if number < 6 else "val"
        make_video(folder / "videos" / name, seconds=1, fps=12, start_pts=number)
        rows.append(f"{name},0,1,{','.join(actions[number % 3])},{split}")
        boxes += [f"{name},{n / 10},0.2,{0.1 + n / 50},0.7,0.9,0.9" for n in range(10)]
    (folder / "clips.csv").write_text("\n".join(rows) + "\n")
    (folder / "boxes.csv").write_text("\n".join(boxes) + "\n")
    (folder / "xmic.toml").write_text(_CONFIG)


def _with_groups(work: Path) -> Path:
    """A workspace whose shards will be several; a world of nine clips would get one a split."""
    work.mkdir()
    workspace = Workspace.open(work)
    with workspace.changing():
        workspace.datasets["mine"] = DatasetSettings("table", (str(work.parent / "videos"),), 8)
    return work


def _command(folder: Path, name: str, words: str) -> None:
    path = folder / name
    path.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    path.chmod(0o755)


def test_the_jobs_run_in_order_through_a_time_limit_and_a_dead_node_to_the_bytes_of_one_process(
    tmp_path: Path, make_video: Any
) -> None:
    _world(tmp_path, make_video)
    whole, work, jobs = _with_groups(tmp_path / "whole"), _with_groups(tmp_path / "work"), tmp_path / "jobs"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    alone = [sys.executable, "-m", "xmic_cli", "run", str(tmp_path / "xmic.toml"), "-w", str(whole)]
    subprocess.run(alone, env=environment, check=True, timeout=1800, capture_output=True)
    options = ["--out", str(jobs), "--tasks", str(_TASKS), "--gpus", "0", "--json"]
    written = finish(xmic("slurm", str(tmp_path / "xmic.toml"), *options, env=environment))
    stand_in = tmp_path / "stand-in"
    (stand_in / "trouble").mkdir(parents=True)
    (stand_in / "trouble/xmic-decode-0").write_text("USR1")
    (stand_in / "trouble/xmic-decode-1").write_text("KILL")
    (stand_in / "bin").mkdir()
    _command(stand_in / "bin", "xmic", f"{sys.executable} -m xmic_cli")
    for name in ("sbatch", "scontrol"):
        _command(stand_in / "bin", name, f"{sys.executable} {_STAND_IN} {name}")
    environment |= {
        "PATH": f"{stand_in / 'bin'}:{environment['PATH']}",
        "STAND_IN": str(stand_in),
        "STAND_IN_WORKSPACE": str(work),
    }
    subprocess.run(["bash", written["submit"]], env=environment, check=True, timeout=1800)
    found = json.loads((stand_in / "jobs.json").read_text())
    logs = {path.name: path.read_text() for path in (jobs / "logs").iterdir()}
    assert [job["state"] for job in found.values()] == ["COMPLETED"] * 6, logs
    assert [job["tries"] for job in found.values()] == [
        [[0, 0]],
        [[0, 130], [0, 0], [1, -9], [1, 0]],
        [[0, 0], [1, 0]],
        [[0, 0], [1, 0]],
        [[0, 0], [1, 0]],
        [[0, 0]],
    ]
    assert "interrupted: everything finished so far is kept" in logs["2-decode-102_0.log"]
    assert "being made by another process; waiting for them" in logs["2-decode-102_1.log"]
    made = artifacts(work)
    assert made.keys() == artifacts(whole).keys()
    assert [name for name, data in artifacts(whole).items() if made[name] != data] == []
    assert len([name for name in made if name.startswith("frames/mine/train") and "/part-" in name]) > _TASKS


def test_a_job_after_one_that_failed_is_cancelled(tmp_path: Path) -> None:
    files = write_slurm(_chain(tmp_path, cells=0), SlurmOptions(out=tmp_path / "jobs", gpus=0, tasks=2))
    (tmp_path / "bin").mkdir()
    _command(tmp_path / "bin", "xmic", "false")
    for name in ("sbatch", "scontrol"):
        _command(tmp_path / "bin", name, f"{sys.executable} {_STAND_IN} {name}")
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "STAND_IN": str(tmp_path), "STAND_IN_WORKSPACE": str(tmp_path)}
    subprocess.run(["bash", str(files[-1])], env=environment, check=True, timeout=60)
    found = json.loads((tmp_path / "jobs.json").read_text())
    assert [job["state"] for job in found.values()] == ["FAILED", *["CANCELLED"] * 3]
    assert all("--kill-on-invalid-dep=yes" in job["options"] for job in list(found.values())[1:])
