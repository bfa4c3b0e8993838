"""What tells the runs of a workspace apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.engine.workspace import Workspace
from pipelines.evaluate.differs import differences, in_words, run_config, told_apart
from pipelines.train.options import TrainOptions
from pipelines.train.plan import plan_run


def _config(workspace: Workspace, **options: Any) -> dict[str, Any]:
    planned = plan_run(workspace, TrainOptions(**options))
    return json.loads(json.dumps({**planned.config, "name": planned.name, "key": planned.key}))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, {}),
        ({"method": "zero-shot"}, {}),
        ({"method": "zero-shot", "classify": "hand"}, {"classify": "hand"}),
        ({"streams": "hand"}, {"streams": "hand"}),
        ({"preset": "paper"}, {}),
        ({"preset": "paper", "classify": "hand"}, {"classify": "hand"}),
        ({"streams": "full", "classify": "full"}, {"streams": "full", "classify": "full"}),
        ({"set": {"epochs": 3, "n1": False}, "fixed_frames": True}, {"n1": False, "epochs": 3, "fixed_frames": True}),
        (
            {"recipe": "matched", "select": "source-val"},
            {"recipe": "matched", "source_val": "10%", "select": "source-val"},
        ),
    ],
)
def test_it_is_what_was_not_the_default_of_the_preset(
    embedded: Workspace, options: dict[str, Any], told: dict[str, Any]
) -> None:
    assert differences(_config(embedded, **options)) == told


def test_it_is_written_as_the_options_are_typed() -> None:
    told = {"prompt": "a photo of {}", "epochs": 3, "lr": 0.0005, "n1": False}
    assert in_words(told) == "'prompt=a photo of {}' epochs=3 lr=0.0005 n1=false"


def _written(folder: Path, config: dict[str, Any]) -> Path:
    (folder / "noun").mkdir(parents=True)
    (folder / "noun" / "config.json").write_text(json.dumps(config))
    return folder


def test_names_that_differ_in_their_hash_only_also_get_frames_and_crops(embedded: Workspace, tmp_path: Path) -> None:
    config = _config(embedded)
    other = {**config, "protocol": {**config["protocol"], "segments": 8, "encoder": "b", "v2": "b"}}
    folders = [
        _written(tmp_path / "xmic-official-mine-s0-aaaaaaaa", config),
        _written(tmp_path / "xmic-official-mine-s0-bbbbbbbb", other),
        _written(tmp_path / "xmic-official-mine-s1-cccccccc", {**config, "seed": 1}),
    ]
    found = told_apart(folders)
    assert found["xmic-official-mine-s1-cccccccc"] == {}
    assert found["xmic-official-mine-s0-aaaaaaaa"]["segments"] == 4
    assert found["xmic-official-mine-s0-bbbbbbbb"]["segments"] == 8
    assert found["xmic-official-mine-s0-bbbbbbbb"]["encoder"] == "b"
    assert "quality" not in found["xmic-official-mine-s0-bbbbbbbb"]


def test_a_run_without_a_readable_configuration_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "x" / "noun").mkdir(parents=True)
    (tmp_path / "x" / "noun" / "config.json").write_text("{")
    assert run_config(tmp_path / "x") is None
    assert told_apart([tmp_path / "x"]) == {}


def test_a_method_that_is_not_installed_here_has_its_options_alone(embedded: Workspace) -> None:
    config = {**_config(embedded, names="official"), "method": "away.module:Method"}
    config["protocol"] = {**config["protocol"], "names": "fixed"}
    assert differences(config) == {"names": "fixed"}
