"""Fixtures every test may use. Tests are no package, so shared code is loaded from its file here."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # several processes share the cores; PyTorch reads it when it is loaded
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from pipelines.engine.workspace import Workspace
from tests.pipelines.kitchen_world import Kitchen, build


@pytest.fixture(scope="session")
def video_maker() -> ModuleType:
    """tests/video_maker.py: writes real videos whose frames carry their own number, and reads it back."""
    spec = importlib.util.spec_from_file_location("video_maker", Path(__file__).parent / "video_maker.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def make_video(video_maker: ModuleType) -> Callable[..., int]:
    """``make_video(path, codec="libx264", fps=30, seconds=2, ...)``; see tests/video_maker.py."""
    return video_maker.make_video


@pytest.fixture(scope="session")
def world() -> ModuleType:
    """tests/pipelines/embedded_world.py: embeds a small dataset without a network."""
    spec = importlib.util.spec_from_file_location(
        "embedded_world", Path(__file__).parent / "pipelines" / "embedded_world.py"
    )
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
    shutil.copytree(embedded_once / "work", tmp_path / "work")
    return Workspace.open(tmp_path / "work")


@pytest.fixture(scope="session")
def kitchen(tmp_path_factory: pytest.TempPathFactory, make_video) -> Kitchen:
    """tests/pipelines/kitchen_world.py: two runs on a small dataset, to predict with."""
    return build(tmp_path_factory.mktemp("kitchen"), make_video)
