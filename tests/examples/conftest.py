"""The official trees, and what Tables 1 to 3 leave on them by their files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pipelines.methods.base import Settings, resolve_config
from tests.official_trees import write_trees
from xmic_cli.app import run

ROOT = Path(__file__).resolve().parents[2]
CLIP, PACKAGED = "open_clip:ViT-B-16/openai", "pocket"


@pytest.fixture(scope="module")
def one_epoch() -> Iterator[None]:
    """Every training has one epoch: fifteen of eight methods are most of a minute, and show no more."""

    def resolve(*arguments: Any) -> Settings:
        settings = resolve_config(*arguments)
        return replace(settings, recipe=replace(settings.recipe, epochs=1))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipelines.train.plan.resolve_config", resolve)
        yield


@pytest.fixture(scope="session")
def trees(tmp_path_factory: pytest.TempPathFactory, video_maker: ModuleType) -> Path:
    """The trees, with the examples beside them that take the packaged encoder in place of CLIP."""
    folder = write_trees(tmp_path_factory.mktemp("trees"), video_maker)
    for number in (1, 2, 3):
        text = (ROOT / "examples" / f"table{number}.toml").read_text("utf-8")
        assert CLIP in text
        (folder / f"table{number}.toml").write_text(text.replace(CLIP, PACKAGED), "utf-8")
    return folder


@pytest.fixture(scope="module")
def made_by_files(trees: Path, one_epoch: None) -> Path:
    """The trees after ``xmic run`` of the three files, one after the other."""
    for number in (1, 2, 3):
        assert run(["run", str(trees / f"table{number}.toml"), "--workers", "1"]) == 0
    return trees


@pytest.fixture
def fresh_trees(trees: Path, tmp_path: Path) -> Path:
    """A copy of the trees without a workspace."""
    return Path(shutil.copytree(trees, tmp_path / "trees", ignore=shutil.ignore_patterns("work", "*.toml")))
