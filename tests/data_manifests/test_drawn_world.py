from __future__ import annotations

import json
from pathlib import Path

import pytest

from data_manifests.drawn_world import WORLD_FILE, all_drawn

WORLD = json.dumps({"version": 1, "seed": 0, "train": 4, "test": 2, "per_video": [2, 3]})


@pytest.fixture
def world(tmp_path: Path) -> Path:
    for name in ("EPIC-KITCHENS", "ego4d/v2/clips"):
        (tmp_path / "world" / name).mkdir(parents=True)
    (tmp_path / "world" / WORLD_FILE).write_text(WORLD)
    return tmp_path / "world"


@pytest.mark.parametrize("root", ["", "EPIC-KITCHENS", "ego4d/v2", "ego4d/v2/clips"])
def test_the_roots_of_a_drawn_world_are_known_by_the_file_it_carries(world: Path, root: str) -> None:
    assert all_drawn([str(world / root)])


def test_one_root_of_recorded_videos_is_enough_and_one_that_is_gone_says_nothing(world: Path, tmp_path: Path) -> None:
    (tmp_path / "recorded").mkdir()
    assert not all_drawn([world, tmp_path / "recorded"])
    assert all_drawn([world, tmp_path / "gone"])
    assert not all_drawn([tmp_path / "gone"])
    assert not all_drawn([])


@pytest.mark.parametrize("content", ["", "[]", '{"embed_dim": 256, "vision_cfg": {}}'])
def test_another_file_of_that_name_is_no_world(world: Path, content: str) -> None:
    (world / WORLD_FILE).write_text(content)
    assert not all_drawn([world])
