from __future__ import annotations

from pathlib import Path

import pytest

from data_manifests.errors import InputError
from pipelines.engine.folder_names import is_folder_name
from pipelines.engine.workspace import Workspace

LEADING_OUT = ["..", ".", "../x", "/etc", "a/b", "a\\b", "a\0b", "\ud800", "x" * 256]


@pytest.mark.parametrize("name", [*LEADING_OUT, "", None, 3, ["a"]])
def test_what_is_not_one_part_of_a_path_is_no_name(name: object) -> None:
    assert not is_folder_name(name)


@pytest.mark.parametrize("name", ["epic", "My kitchen (2)", "台所", "a@b+c=d,e", "...", "timm-vit_l.14-0a1b2c3d"])
def test_names_that_users_choose_are_names(name: str) -> None:
    assert is_folder_name(name)


@pytest.mark.parametrize("name", LEADING_OUT)
def test_a_workspace_makes_no_path_of_a_name_that_leads_out(tmp_path: Path, name: str) -> None:
    space = Workspace.open(tmp_path)
    calls = [
        lambda: space.manifest(name, "val"),
        lambda: space.classes_file(name, "noun"),
        lambda: space.frames("epic", "val", name),
        lambda: space.hands("epic", "val", "plan", name),
        lambda: space.embeddings("epic", "val", "plan", name),
        lambda: space.embeddings("epic", "val", "plan", "encoder", name),
        lambda: space.text("epic", name),
        lambda: space.run(name),
        lambda: space.evaluation(name, "epic", "val"),
    ]
    for call in calls:
        with pytest.raises(InputError, match="expected a name that can be a folder"):
            call()
