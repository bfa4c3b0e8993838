"""The scheduled job runs what is in the repository."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / ".github" / "workflows" / "versions.yml"
PYTHONS = ROOT / ".ci" / "pythons"


@pytest.fixture(scope="module")
def job() -> dict[str, Any]:
    workflow = yaml.safe_load(FILE.read_text("utf-8"))
    (found,) = workflow["jobs"].values()
    return found


def test_it_runs_by_the_clock_and_by_hand() -> None:
    started_by = yaml.safe_load(FILE.read_text("utf-8"))[True]  # YAML takes "on" for a truth value
    assert set(started_by) == {"schedule", "workflow_dispatch"}
    (when,) = started_by["schedule"]
    assert len(when["cron"].split()) == 5


def test_every_command_of_it_is_one_of_the_repository(job: dict[str, Any]) -> None:
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert commands == [".ci/pythons ${{ matrix.tried }}"]
    assert os.access(PYTHONS, os.X_OK)


def test_every_word_that_it_gives_is_taken(job: dict[str, Any], tmp_path: Path) -> None:
    """On a machine without any Python, each is asked for and none is an unknown word."""
    (tmp_path / "bin").mkdir()
    for name in ("bash", "dirname", "mktemp", "mkdir", "rm"):
        (tmp_path / "bin" / name).symlink_to(_program(name))
    environment = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    for tried in (*(each["tried"] for each in job["strategy"]["matrix"]["include"]), "3.10"):
        done = subprocess.run(
            [str(tmp_path / "bin" / "bash"), str(PYTHONS), *tried.split()],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        wanted = "expected 3.11, 3.12" if tried == "3.10" else "get it with: pyenv install"
        assert wanted in done.stderr, (tried, done)


def _program(name: str) -> Path:
    return next(found for folder in os.environ["PATH"].split(os.pathsep) if (found := Path(folder) / name).is_file())


def test_it_tries_the_oldest_the_pinned_and_the_newest_on_every_python(job: dict[str, Any]) -> None:
    listed = [(each["tried"], each["python"]) for each in job["strategy"]["matrix"]["include"]]
    said = subprocess.run(
        [sys.executable, "-c", "import versions; print(*versions.ALL)"],
        cwd=ROOT / ".ci",
        capture_output=True,
        text=True,
        check=True,
    )
    everything = said.stdout.split()
    pythons = [name for name in everything if name != "oldest"]
    assert dict(listed) == {
        "oldest": "3.11",
        **{name: name for name in pythons},
        **{f"--update {name}": name for name in pythons},
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    admitted = [name.split()[-1] for name in project["classifiers"] if re.search(r":: 3\.\d+$", name)]
    assert pythons == admitted


def test_what_it_runs_on_each_has_the_numbers_that_must_not_drift() -> None:
    text = PYTHONS.read_text("utf-8")
    (folders,) = re.findall(r"tests=\(\n(.*?)\n", text)
    assert "tests/golden" in folders.split()
    assert all((ROOT / folder).is_dir() for folder in folders.split())
