"""Fixtures of the training tests."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pipelines.engine.workspace import Workspace
from tests.pipelines.one_thread import one_thread
from tests.pipelines.train.loop_world import train

__all__ = ["one_thread", "whole"]


@pytest.fixture(scope="session")
def in_parts_once(tmp_path_factory: pytest.TempPathFactory, world: ModuleType, make_video: Any) -> Path:
    """A workspace whose dataset 'mine' has no two equal pictures and several shards; not to be written to."""
    folder = tmp_path_factory.mktemp("in-parts")

    def make_other(path: Path, start_pts: int, **options: Any) -> None:
        make_video(path, start_pts=start_pts, size=(128 + 16 * start_pts, 96), **options)

    workspace = Workspace.open(folder / "work")
    world.add_dataset(workspace, folder, make_other, splits=("train",), groups=4)
    return workspace.root


@pytest.fixture
def in_parts(in_parts_once: Path, tmp_path: Path) -> Workspace:
    """A copy of it to play with."""
    shutil.copytree(in_parts_once, tmp_path / "in-parts")
    workspace = Workspace.open(tmp_path / "in-parts")
    assert len(list((workspace.root / "frames/mine/train").glob("*/part-*.parquet"))) > 1
    return workspace


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that was never stopped."""
    folder = tmp_path_factory.mktemp("whole")
    train(folder)
    return folder
