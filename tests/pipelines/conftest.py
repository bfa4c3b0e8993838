"""Fixtures for tests of the stages."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from pipelines.workspace import Workspace


@pytest.fixture(scope="session")
def world() -> ModuleType:
    """tests/pipelines/embedded_world.py: embeds a small dataset without a network."""
    spec = importlib.util.spec_from_file_location("embedded_world", Path(__file__).parent / "embedded_world.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def embedded_once(tmp_path_factory: pytest.TempPathFactory, world: ModuleType, make_video) -> Path:
    """Two embedded datasets, 'mine' (train, val) and 'other' (val); not to be written to."""
    folder = tmp_path_factory.mktemp("embedded")
    workspace = Workspace.open(folder / "work")
    world.add_dataset(workspace, folder, make_video)
    world.add_dataset(
        workspace,
        folder,
        make_video,
        "other",
        ("val",),
        (("cut", "bread"), ("wash", "cup"), ("stir", "tea"), ("fry", "egg")),
    )
    return folder


@pytest.fixture
def embedded(embedded_once: Path, tmp_path: Path) -> Workspace:
    """A copy of that workspace to play with."""
    import shutil

    shutil.copytree(embedded_once / "work", tmp_path / "work")
    return Workspace.open(tmp_path / "work")
