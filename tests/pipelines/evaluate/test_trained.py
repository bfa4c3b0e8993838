"""Runs from outside the workspace: what they may name and where their files may lie."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from data_manifests.errors import InputError, MissingUpstream
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.exported import INDEX, write_index
from pipelines.evaluate.trained import find_run
from tests.pipelines.evaluate.run_folders import CONFIG, changed, write_run

_OWN = changed(method="somebody.elses:Method")


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "work")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = write_run(tmp_path / "exported")
    write_index(folder, CONFIG["name"], CONFIG["key"])
    return folder


def test_a_run_of_the_workspace_may_name_a_class_of_its_own(space: Workspace) -> None:
    folder = write_run(space.run("mine"), _OWN)
    space.run("latest").symlink_to("mine")
    for name in ("mine", None, str(folder)):
        found = find_run(space, name)
        assert (found.config["method"], found.own_code) == ("somebody.elses:Method", True)


def test_a_run_from_outside_may_name_one_if_it_is_trusted(space: Workspace, tmp_path: Path) -> None:
    folder = str(write_run(tmp_path / "theirs", _OWN))
    with pytest.raises(InputError, match=r"names 'somebody\.elses:Method'.*pass --trust"):
        find_run(space, folder)
    assert find_run(space, folder, trust=True).own_code


def test_an_exported_folder_that_was_moved_into_the_workspace_is_still_somebody_elses(
    space: Workspace, outside: Path
) -> None:
    shutil.move(outside, space.run("theirs"))
    assert not find_run(space, "theirs").own_code


def test_a_run_of_another_workspace_is_from_outside(space: Workspace, tmp_path: Path) -> None:
    assert not find_run(space, str(write_run(tmp_path / "other" / "runs" / "mine"))).own_code


@pytest.mark.parametrize("name", ["noun/config.json", "noun/weights.safetensors", "noun/summary.json", INDEX, "noun"])
def test_a_link_out_of_the_folder_is_refused(space: Workspace, outside: Path, tmp_path: Path, name: str) -> None:
    file, target = outside / name, tmp_path / "secret"
    file.rename(target)
    file.symlink_to(target)
    with pytest.raises(InputError, match="is a link to .*secret.*, outside the folder"):
        find_run(space, str(outside))


def test_a_link_within_the_folder_is_taken(space: Workspace, outside: Path) -> None:
    (outside / "noun/config.json").rename(outside / "noun/real.json")
    (outside / "noun/config.json").symlink_to("real.json")
    assert find_run(space, str(outside)).config == CONFIG


def test_the_links_of_the_hubs_cache_are_no_way_out(space: Workspace, outside: Path, tmp_path: Path) -> None:
    snapshot, blobs = tmp_path / "models--a--b/snapshots/0123", tmp_path / "models--a--b/blobs"
    blobs.mkdir(parents=True)
    for file in [path for path in outside.rglob("*") if path.is_file()]:
        place = snapshot / file.relative_to(outside)
        place.parent.mkdir(parents=True, exist_ok=True)
        blob = blobs / place.name
        shutil.copyfile(file, blob)
        place.symlink_to(os.path.relpath(blob, place.parent))
    assert find_run(space, str(snapshot)).config == CONFIG
    (snapshot / "noun/config.json").unlink()
    (snapshot / "noun/config.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(InputError, match=r"elsewhere\.json, outside the folder"):
        find_run(space, str(snapshot))


@pytest.mark.parametrize("listed", ["../secret", "/etc/passwd", "noun/../../secret", "a\\b", "noun//x", ""])
def test_an_index_that_lists_a_file_elsewhere_is_refused(space: Workspace, outside: Path, listed: str) -> None:
    index = json.loads((outside / INDEX).read_text())
    (outside / INDEX).write_text(json.dumps({**index, "files": {listed: "0" * 64}}))
    with pytest.raises(InputError, match=r"xmic\.json: lists .*outside the folder"):
        find_run(space, str(outside))


@pytest.mark.parametrize("content", ["", "[]", "{}", "[" * 99_999, '{"format": 1}', '{"format": 1, "files": {"a": 1}}'])
def test_an_index_that_is_none_is_refused(space: Workspace, outside: Path, content: str) -> None:
    (outside / INDEX).write_text(content)
    with pytest.raises(InputError, match=r"xmic\.json: damaged .* Copy or download the folder again"):
        find_run(space, str(outside))


def test_a_pipe_is_not_waited_for(space: Workspace, outside: Path) -> None:
    (outside / INDEX).unlink()
    (outside / "noun/config.json").unlink()
    os.mkfifo(outside / "noun/config.json")
    with pytest.raises(InputError, match="there is no such file"):
        find_run(space, str(outside))


@pytest.mark.parametrize("name", ["../x", "a/b", ".."])
def test_a_name_that_is_a_path_is_no_run_of_the_workspace(space: Workspace, name: str) -> None:
    write_run(space.root / "x")
    with pytest.raises(MissingUpstream):
        find_run(space, name)
