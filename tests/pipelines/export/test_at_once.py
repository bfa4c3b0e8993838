"""Several exports into one folder at once: one writes it, the others say so."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from data_manifests.errors import UsageError
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.exported import check_export
from pipelines.evaluate.trained import find_run
from pipelines.export import folder
from tests.pipelines.evaluate.run_folders import write_run


@pytest.mark.parametrize("there", [False, True])
def test_one_of_two_exports_at_once_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    space = Workspace.open(tmp_path / "work")
    write_run(space.run("mine"))
    run, into = find_run(space, "mine"), tmp_path / "out"
    if there:
        into.mkdir()
    monkeypatch.setattr(folder, "_class_names", lambda *_: ["cup", "pan"])
    monkeypatch.setattr(folder, "_card", lambda *_: SimpleNamespace(markdown=lambda: "card"))
    first = folder.write_index

    def overtaken(building: Path, *rest: Any) -> Any:
        found = first(building, *rest)
        into.mkdir(exist_ok=True)
        shutil.copytree(building, into, dirs_exist_ok=True)
        return found

    monkeypatch.setattr(folder, "write_index", overtaken)
    with pytest.raises(UsageError, match="another export has written it meanwhile"):
        folder.export_run(space, run, into)
    check_export(into)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "work"]


def test_three_exports_at_once_end_in_one_whole_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = Workspace.open(tmp_path / "work")
    write_run(space.run("mine"))
    run, into = find_run(space, "mine"), tmp_path / "out"
    monkeypatch.setattr(folder, "_class_names", lambda *_: ["cup", "pan"])
    monkeypatch.setattr(folder, "_card", lambda *_: SimpleNamespace(markdown=lambda: "card"))
    numbers = iter(range(1, 9))
    monkeypatch.setattr(folder, "temporary_name", lambda start: f"{start}elsewhere-{next(numbers)}")

    def export(_: int) -> str:
        try:
            folder.export_run(space, run, into)
        except UsageError as error:
            return str(error)
        return "written"

    with ThreadPoolExecutor(3) as pool:
        told = list(pool.map(export, range(3)))
    assert told.count("written") == 1
    assert all(text == "written" or text.startswith(f"--into {into}: ") for text in told)
    check_export(into)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "work"]
