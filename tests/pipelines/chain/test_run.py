"""The whole chain as a user runs it: from one file, twice, and killed in the middle of each stage."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data_manifests.errors import TooManyFailures, XmicError
from pipelines.chain.grid import read_cells
from pipelines.chain.run import run_chain
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent

ROOT = Path(__file__).resolve().parents[3]
ARTIFACTS = ("manifests", "frames", "hands", "embeddings", "text", "runs", "evaluations", "reports")


def xmic(*arguments: str, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "xmic_cli", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def finish(process: subprocess.Popen) -> dict:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return json.loads(out)


def artifacts(workspace: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(workspace)): path.read_bytes()
        for name in ARTIFACTS
        for path in sorted((workspace / name).rglob("*"))
        if path.is_file() and not path.is_symlink() and ".locks" not in path.parts
    }


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """The example's folder and the artifacts of an uninterrupted run, with its JSON."""
    folder = tmp_path_factory.mktemp("first")
    subprocess.run([sys.executable, str(ROOT / "examples/first_chain.py"), str(folder)], check=True, cwd=ROOT)
    result = finish(xmic("run", str(folder / "xmic.toml"), "--json"))
    return folder, artifacts(folder / "work"), result


def test_the_example_runs_the_whole_chain_and_the_second_run_does_no_work(example):
    folder, whole, result = example
    assert result["made"] > 0
    assert {stage["stage"] for stage in result["stages"]} == {"decode", "detect-hands", "embed", "embed text"}
    assert [run["trained"] for run in result["runs"]] == [["noun", "verb"], ["noun", "verb"]]
    process = xmic("run", str(folder / "xmic.toml"))
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "nothing to do: everything was up to date" in out
    assert artifacts(folder / "work") == whole
    assert finish(xmic("run", str(folder / "xmic.toml"), "--dry-run", "--json")) == {
        "schema": 1,
        "todo": [],
        "then": [],
    }


def test_called_from_python_without_a_stop_it_trains_and_evaluates(example, tmp_path):
    folder, _, result = example
    shutil.copytree(folder, tmp_path / "first", symlinks=True)
    for name in ("runs", "evaluations"):
        shutil.rmtree(tmp_path / "first" / "work" / name)
    again = run_chain(read_cells(tmp_path / "first" / "xmic.toml"), Machine(device="cpu"), Silent())
    assert [run["trained"] for run in again.runs] == [run["trained"] for run in result["runs"]]
    assert len(again.evaluations) == len(result["evaluations"])


def test_the_report_says_that_the_weights_are_random(example):
    folder, whole, _ = example
    for name in ("index.html", "report.md"):
        text = whole[f"reports/report/{name}"].decode()
        assert "Random weights" in text
        assert "open-clip-tiny-clip-random-" in text
    assert str(folder) not in whole["reports/report/report.md"].decode()


def test_some_crops_are_hands_and_some_full_frames(example):
    _, whole, _ = example
    metrics = [json.loads(data) for name, data in whole.items() if name.endswith("metrics.json")]
    rates = [m["hand_fallback_rate"] for m in metrics if m["hand_fallback_rate"] is not None]
    assert rates
    assert all(rate < 1 for rate in rates), "the example's detector finds nothing: the hand stream is not exercised"


KILL_WHEN = {
    "prepare": "manifests/**/.*.tmp",
    "decode": "tmp/decode-*/*/*.arrow",
    "detect-hands": "hands/**/.*.tmp",
    "embed": "embeddings/**/.*.tmp",
    "train": "runs/*xmic*/*/state.pt",
    "evaluate": "evaluations/*/*/.*.tmp",
}


def test_killed_in_the_middle_of_any_stage_it_goes_on_to_the_same_bytes(example, tmp_path):
    folder, whole, _ = example
    workspace = tmp_path / "work"
    arguments = ("run", str(folder / "xmic.toml"), "--json", "-w", str(workspace))
    killed = []
    for stage, pattern in KILL_WHEN.items():
        process = xmic(*arguments, start_new_session=True)
        while process.poll() is None:
            if next(workspace.glob(pattern), None) is not None:
                os.kill(process.pid, signal.SIGKILL)
                killed.append(stage)
                break
            time.sleep(0.001)
        process.communicate(timeout=300)
    # The first and the quickest writes may be over before they are seen; the long stages may not.
    assert {"decode", "detect-hands", "embed"} <= set(killed), killed
    finish(xmic(*arguments))
    found = artifacts(workspace)
    assert found.keys() == whole.keys()
    assert [name for name in whole if found[name] != whole[name]] == []
    assert not list((workspace / "tmp").glob("*")), "what a killed decode left is cleaned"


_EMBED = '[embed]\nencoder = "pocket"\n'


@pytest.mark.parametrize(
    ("allowed", "shown"), [("", "50 %"), ('max_failures = "2"', "2"), ('max_failures = "70%"', "70 %")]
)
def test_a_dataset_says_how_many_of_its_rows_may_be_rejected(tmp_path, allowed, shown):
    rows = ["video,start_s,stop_s,verb,noun", "a.mp4,0,1,cut,bread", *["a.mp4,1,0,cut,bread"] * 3]
    (tmp_path / "clips.csv").write_text("\n".join(rows) + "\n")
    file = tmp_path / "xmic.toml"
    file.write_text(f'[[dataset]]\nname = "mine"\nreader = "table"\nfiles = ["train=clips.csv"]\n{allowed}\n{_EMBED}')
    with pytest.raises(TooManyFailures, match=rf"mine .*: 3 of 4 rows .*--max-failures allows {shown}\. "):
        run_chain(read_cells(file), Machine(device="cpu"), Silent())


def test_as_many_rows_as_allowed_may_be_rejected(tmp_path):
    (tmp_path / "clips.csv").write_text("video,start_s,stop_s,verb,noun\na.mp4,0,1,cut,bread\na.mp4,1,0,cut,bread\n")
    file = tmp_path / "xmic.toml"
    file.write_text(
        '[[dataset]]\nname = "mine"\nreader = "table"\nfiles = ["train=clips.csv"]\nmax_failures = "1"\n' + _EMBED
    )
    with pytest.raises(XmicError) as stopped:
        run_chain(read_cells(file), Machine(device="cpu"), Silent())
    assert "rejected" not in str(stopped.value)
    assert "mine" in str(stopped.value)
