from __future__ import annotations

import json
from pathlib import Path

import pytest

from data_manifests.errors import InputError
from pipelines.engine.digest import whole_file_sha256
from pipelines.evaluate.exported import CARD, INDEX, check_export, write_index


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    (tmp_path / "noun").mkdir()
    (tmp_path / "noun" / "config.json").write_text("{}")
    (tmp_path / CARD).write_text("a card")
    write_index(tmp_path, "mine", "abc")
    return tmp_path


def test_the_index_lists_every_file_with_its_sha256(exported: Path) -> None:
    files = {name: whole_file_sha256(exported / name) for name in (CARD, "noun/config.json")}
    assert json.loads((exported / INDEX).read_text()) == {"format": 1, "run": "mine", "key": "abc", "files": files}
    check_export(exported)


def test_a_folder_without_an_index_passes(tmp_path: Path) -> None:
    check_export(tmp_path)


def test_the_folder_of_a_later_xmic_is_refused(exported: Path) -> None:
    index = json.loads((exported / INDEX).read_text())
    (exported / INDEX).write_text(json.dumps({**index, "format": 2}))
    with pytest.raises(InputError, match=r"xmic\.json: format 2, this xmic reads 1\. Update xmic\."):
        check_export(exported)
