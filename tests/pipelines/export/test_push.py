"""``push`` by the hub's real client against a stand-in hub."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data_manifests.errors import InputError, MissingUpstream, UsageError
from pipelines.engine import hub as engine_hub
from pipelines.engine.digest import whole_file_sha256
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.fetch import fetch
from pipelines.evaluate.trained import find_run
from pipelines.export.folder import export_run
from pipelines.export.push import push, refuse_push
from tests.pipelines.kitchen_world import Kitchen
from tests.pipelines.run_configs import written_otherwise
from tests.stand_in_hub import TOKEN, StandInHub, point_at, stand_in_hub


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInHub]:
    with stand_in_hub(tmp_path / "cache", monkeypatch) as served:
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield served


@pytest.fixture(scope="module")
def exported_once(kitchen: Kitchen, tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = Workspace.open(kitchen.work)
    into = tmp_path_factory.mktemp("exported") / "out"
    return export_run(workspace, find_run(workspace, kitchen.xmic), into, "apache-2.0").folder


@pytest.fixture
def exported(exported_once: Path, tmp_path: Path) -> Path:
    return shutil.copytree(exported_once, tmp_path / "out")


def test_the_files_of_the_export_are_on_the_hub_and_come_back_as_the_same_run(
    hub: StandInHub, exported: Path, kitchen: Kitchen, tmp_path: Path
) -> None:
    (exported / "my notes.txt").write_text("not for the hub")
    assert push(exported, "me/run", private=True) == f"{hub.url}/me/run"
    repository = hub.repositories["me/run"]
    assert repository.private
    index = json.loads((exported / "xmic.json").read_text())
    assert set(repository.files) == {"xmic.json", *index["files"]}
    found = fetch("hf://me/run")
    assert [file.of for file in found.files] == ["hf://me/run noun", "hf://me/run verb", "pocket"]
    assert found.files[0].sha256 == index["files"]["noun/weights.safetensors"]
    run = find_run(Workspace.open(tmp_path / "elsewhere"), "hf://me/run", offline=True)
    assert run.config["name"] == kitchen.xmic
    assert fetch("hf://me/run", offline=True).files == found.files


def test_the_same_again_and_an_edited_card_are_taken(hub: StandInHub, exported: Path) -> None:
    push(exported, "me/run")
    card = exported / "README.md"
    card.write_text(card.read_text("utf-8") + "\nMade at home.\n", "utf-8")
    push(exported, "me/run")
    assert hub.repositories["me/run"].files["README.md"].endswith(b"Made at home.\n")
    assert all(summary.startswith("Upload xmic") for summary in hub.commits)


def test_a_newer_run_is_fetched_and_what_is_cached_is_used_until_then(hub: StandInHub, exported: Path) -> None:
    push(exported, "me/run")
    before = find_run(Workspace.open(exported), "hf://me/run").folder
    card = exported / "README.md"
    card.write_text(card.read_text("utf-8") + "\nMade at home.\n", "utf-8")
    push(exported, "me/run")
    asked = len(hub.asked)
    assert find_run(Workspace.open(exported), "hf://me/run").folder == before
    assert len(hub.asked) == asked
    fetch("hf://me/run")
    after = find_run(Workspace.open(exported), "hf://me/run").folder
    assert (after / "README.md").read_text("utf-8").endswith("Made at home.\n")
    commit = before.name
    hub.repositories["me/run"].files["README.md"] = b"other"
    with pytest.raises(MissingUpstream, match="no such revision"):
        fetch(f"hf://me/run@{commit[:6]}x")


def test_a_file_that_is_damaged_on_the_hub_is_refused(hub: StandInHub, exported: Path) -> None:
    push(exported, "me/run")
    hub.repositories["me/run"].files["noun/weights.safetensors"] = b"other"
    with pytest.raises(InputError, match="is not what was exported"):
        fetch("hf://me/run")


def test_an_encoder_with_other_weights_than_the_run_s_is_refused(
    hub: StandInHub, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(exported, "me/run")
    monkeypatch.setattr(
        "pipelines.evaluate.fetch.fetch_encoder", lambda spec, **_: [exported / "noun" / "weights.safetensors"]
    )
    sha256 = whole_file_sha256(exported / "noun" / "weights.safetensors")
    with pytest.raises(InputError, match=f"the weights of pocket have sha256 {sha256[:12]}…, .* was trained with"):
        fetch("hf://me/run")


def test_a_card_without_a_licence_is_refused(hub: StandInHub, exported: Path) -> None:
    card = exported / "README.md"
    card.write_text(card.read_text("utf-8").replace("license: apache-2.0\n", ""), "utf-8")
    with pytest.raises(UsageError, match=r"README\.md names no licence of the weights.*--license SPDX"):
        push(exported, "me/run")
    card.unlink()
    with pytest.raises(UsageError, match="names no licence"):
        push(exported, "me/run")
    assert hub.asked == []


def _with_random_weights(config: dict[str, Any]) -> None:
    for made in config["protocol"]["vectors"].values():
        made["random_weights"] = True


def test_random_weights_are_refused(hub: StandInHub, exported: Path) -> None:
    for label in ("noun", "verb"):
        written_otherwise(exported / label / "config.json", _with_random_weights)
    (exported / "xmic.json").unlink()
    with pytest.raises(UsageError, match="trained on pocket, which has random weights"):
        refuse_push(find_run(Workspace.open(exported), str(exported)), "me/run")
    assert hub.asked == []


def test_what_is_no_export_or_damaged_is_refused(hub: StandInHub, exported: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no xmic\.json, so xmic export did not write it"):
        push(tmp_path, "me/run")
    (exported / "noun" / "classes.json").write_text("[]")
    with pytest.raises(InputError, match="is not what was exported"):
        push(exported, "me/run")
    assert hub.asked == []


def test_without_a_token_or_with_a_wrong_one_it_says_how_to_log_in_and_never_prints_it(
    hub: StandInHub, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(UsageError, match="no token of the hub. Set HF_TOKEN, or run hf auth login"):
        push(exported, "me/run")
    assert hub.asked == []
    monkeypatch.setenv("HF_TOKEN", "hf_secret_of_another")
    with pytest.raises(MissingUpstream, match=r"could not be uploaded.*is complete.*--push me/run again") as error:
        push(exported, "me/run")
    assert "secret" not in str(error.value)


def test_a_hub_out_of_reach_is_one_error(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_hub, "_BETWEEN_ATTEMPTS_S", 0)
    point_at("http://127.0.0.1:9", tmp_path / "cache", monkeypatch)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with pytest.raises(MissingUpstream, match=r"hf://me/run: could not be uploaded \(http://127\.0\.0\.1:9 cannot be"):
        push(exported, "me/run")


@pytest.mark.parametrize("name", ["run", "me/run/more", "/run", "me/"])
def test_another_form_of_repository_is_refused(hub: StandInHub, exported: Path, name: str) -> None:
    with pytest.raises(UsageError, match="expected owner/repo"):
        push(exported, name)
