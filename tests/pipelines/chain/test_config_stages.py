"""What a configuration file means for trainings."""

from __future__ import annotations

from pathlib import Path

from pipelines.chain.config import check_config
from pipelines.chain.config_stages import planned_run
from pipelines.engine.machine import Machine
from pipelines.engine.workspace import Workspace
from pipelines.train.options import TrainOptions
from pipelines.train.plan import plan_run
from tests.pipelines.embedded_world import SEGMENTS, add_dataset


def test_a_training_of_a_file_is_the_run_of_the_command_without_options(tmp_path: Path, make_video) -> None:
    workspace = Workspace.open(tmp_path / "work")
    add_dataset(workspace, tmp_path, make_video)
    encoder = "fake-00000000"
    raw = {
        "dataset": [{"name": "mine", "reader": "table", "files": ["mine.csv"]}],
        "decode": {"segments": SEGMENTS, "short_side": 0},
        "embed": {"encoder": encoder},
        "train": [{}],
    }
    config = check_config(raw, tmp_path / "xmic.toml")
    of_file = planned_run(workspace, config, config.train[0], Machine(1, "cpu"))
    assert of_file.key == plan_run(workspace, TrainOptions()).key
    assert of_file.config["protocol"]["streams"] == "both"
    off = check_config({**raw, "hands": False}, tmp_path / "xmic.toml")
    without = planned_run(workspace, off, off.train[0], Machine(1, "cpu"))
    assert without.key == plan_run(workspace, TrainOptions(streams="full", classify="full")).key
