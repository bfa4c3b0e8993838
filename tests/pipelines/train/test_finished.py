from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from pipelines.engine.workspace import Workspace
from pipelines.train.finished import (
    is_summarised,
    set_damaged_aside,
    what_is_damaged,
    what_it_learned_from_has_changed,
    write_summary,
)


@pytest.fixture
def head(tmp_path: Path) -> Path:
    (tmp_path / "weights.safetensors").write_bytes(b"trained")
    write_summary(tmp_path, {"clips": 3})
    return tmp_path


def test_a_summary_says_which_weights_it_is_of(head: Path) -> None:
    stored = json.loads((head / "summary.json").read_text())
    assert stored == {"clips": 3, "weights_sha256": hashlib.sha256(b"trained").hexdigest()}
    assert (is_summarised(head), what_is_damaged(head), set_damaged_aside(head)) == (True, None, None)


def test_a_head_that_was_not_finished_is_not_damaged(tmp_path: Path) -> None:
    assert (is_summarised(tmp_path), what_is_damaged(tmp_path)) == (False, None)


def test_other_weights_are_set_aside_and_the_head_is_to_be_trained(head: Path) -> None:
    weights = head / "weights.safetensors"
    weights.write_bytes(b"trainee")
    assert what_is_damaged(head) == f"{weights}: not the weights that the head was finished with"
    assert set_damaged_aside(head) is not None
    assert not is_summarised(head)
    assert not weights.exists()
    assert (head / "weights.safetensors.damaged").read_bytes() == b"trainee"


def test_missing_weights_and_a_damaged_summary_are_said(head: Path) -> None:
    (head / "weights.safetensors").unlink()
    assert what_is_damaged(head) == f"{head / 'weights.safetensors'}: is missing"
    (head / "summary.json").write_text('{"clips": 3')
    assert str(what_is_damaged(head)).endswith("summary.json: not JSON as xmic train writes it")
    set_damaged_aside(head)
    assert not is_summarised(head)


def test_a_summary_of_an_older_version_does_not_say_and_is_believed(head: Path) -> None:
    (head / "summary.json").write_text('{"clips": 3}')
    assert what_is_damaged(head) is None


@pytest.mark.parametrize("config", [None, "{", "[]", '{"source": null, "inputs": {}, "recipe": {}}'])
def test_a_head_that_does_not_say_what_it_learned_from_is_believed(head: Path, config: str | None) -> None:
    if config is not None:
        (head / "config.json").write_text(config)
    assert what_it_learned_from_has_changed(Workspace.open(head), head) is None
