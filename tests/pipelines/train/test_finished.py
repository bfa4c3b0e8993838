from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from data_manifests.errors import InputError
from pipelines.engine.digest import digest_json
from pipelines.engine.sealed import sealed
from pipelines.engine.workspace import Workspace
from pipelines.train.finished import (
    is_log_damaged,
    is_summarised,
    read_log,
    set_damaged_aside,
    what_is_changed,
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
    assert stored == sealed({"clips": 3, "weights_sha256": hashlib.sha256(b"trained").hexdigest()})
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


def test_the_log_of_a_finished_head_is_read_only_as_it_was_written(tmp_path: Path) -> None:
    assert read_log(tmp_path) == []
    log, lines = tmp_path / "metrics.jsonl", ['{"epoch": 1, "loss": 2.5}', '{"epoch": 2, "loss": 1.5}']
    log.write_text("\n".join(lines) + "\n")
    (tmp_path / "weights.safetensors").write_bytes(b"trained")
    assert read_log(tmp_path) == lines
    write_summary(tmp_path, {"clips": 3})
    assert read_log(tmp_path) == lines
    for content in (b'{"epoch": 1, "loss": 2.6}\n', b'{"epoch": 1, "lo', b"\xb0\n", b"7\n"):
        log.write_bytes(content)
        with pytest.raises(InputError, match=r"metrics\.jsonl: not the log .* remove summary\.json beside it"):
            read_log(tmp_path)


@pytest.mark.parametrize("content", [b'{"epoch": 1', b"\xb0\n", b"7\n", b"[1]\n", b"[" * 5000])
def test_a_log_that_is_none_is_refused_also_where_no_summary_knows_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "metrics.jsonl").write_bytes(content)
    with pytest.raises(InputError, match=r"not the log"):
        read_log(tmp_path)


def test_a_summary_of_an_older_version_does_not_say_and_is_believed(head: Path) -> None:
    (head / "summary.json").write_text('{"clips": 3}')
    assert what_is_damaged(head) is None


@pytest.mark.parametrize("config", [None, "{", "[]", '{"source": null, "inputs": {}, "recipe": {}}'])
def test_a_head_that_does_not_say_what_it_learned_from_is_believed(head: Path, config: str | None) -> None:
    if config is not None:
        (head / "config.json").write_text(config)
    assert what_it_learned_from_has_changed(Workspace.open(head), head) is None


def test_a_changed_summary_is_damage_and_one_without_a_digest_is_of_an_older_version(head: Path) -> None:
    file = head / "summary.json"
    stored = json.loads(file.read_text())
    file.write_text(json.dumps({**stored, "clips": 4}))
    assert what_is_damaged(head) == f"{file}: not the summary that was written"
    del stored["sha256"]
    file.write_text(json.dumps(stored))
    assert what_is_damaged(head) is None


def test_a_changed_log_of_a_finished_head_is_noticed(head: Path) -> None:
    assert not is_log_damaged(head)
    (head / "metrics.jsonl").write_text('{"loss": 1.5}\n')
    write_summary(head, {"clips": 3})
    assert not is_log_damaged(head)
    (head / "metrics.jsonl").write_text('{"loss": 1.6}\n')
    assert is_log_damaged(head)
    (head / "metrics.jsonl").unlink()
    assert is_log_damaged(head)


def test_settings_of_another_key_and_a_changed_member_are_noticed() -> None:
    settings = {"method": "xmic", "method_config": {"n1": True}, "seed": 0}
    config = sealed({**settings, "key": digest_json(settings), "threads": 2})
    assert what_is_changed(config) is None
    assert what_is_changed({**config, "threads": 3}) == "its content is not what was written"
    old = {name: value for name, value in config.items() if name != "sha256"}
    assert what_is_changed({**old, "threads": 3}) is None
    assert what_is_changed({**old, "method_config": {"n1": False}}) == "its settings are not those of its key"
