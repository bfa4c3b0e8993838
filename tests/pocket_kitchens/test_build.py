from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from data_manifests.errors import InputError, UsageError
from data_manifests.readers.ego4d import Ego4dReader
from data_manifests.readers.epic import EpicReader
from pipelines.engine.progress import Silent
from pipelines.engine.shards import read_rows
from pipelines.engine.workspace import Workspace
from pipelines.hands.box_table import BoxTable
from pipelines.prepare.check.run import check
from pipelines.prepare.stage import prepare
from pipelines.prepare.vocabulary import vocabulary_of
from pocket_kitchens import as_ego4d, as_epic, box_tables
from pocket_kitchens.build import BuiltWorld, build, build_world
from pocket_kitchens.world import Size
from tests.pipelines.engine.stage_fixtures import tree

SIZE = Size(5, 3)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, BuiltWorld]:
    folder = tmp_path_factory.mktemp("pocket") / "world"
    return folder, build(folder, SIZE, 0, 2, Silent())


@pytest.fixture(scope="module")
def workspace(world: tuple[Path, BuiltWorld], tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Both domains read by the ordinary readers."""
    folder, _ = world
    space = Workspace.open(tmp_path_factory.mktemp("work"))
    prepare(space, "epic", EpicReader(folder / as_epic.ANNOTATIONS), [folder / as_epic.VIDEOS])
    prepare(space, "ego4d", Ego4dReader(folder / as_ego4d.ANNOTATIONS), [folder / as_ego4d.VIDEOS])
    return space


@pytest.mark.parametrize("dataset", ["epic", "ego4d"])
def test_the_ordinary_readers_read_every_clip_and_find_every_video_whole(workspace: Workspace, dataset: str) -> None:
    found = check(workspace, dataset, ["train", "val"], 2, Silent())
    assert {split: table.clips["ok"] for split, table in found.items()} == {"train": 5, "val": 3}
    assert not any(table.problems for table in found.values())


def test_no_row_is_rejected_and_names_are_shared_as_the_domains_say(workspace: Workspace) -> None:
    for dataset in ("epic", "ego4d"):
        for split in ("train", "val"):
            assert read_rows(workspace.manifest(dataset, split) / "rejects.parquet").num_rows == 0
    nouns, verbs = (vocabulary_of(workspace, "epic", "ego4d", label) for label in ("noun", "verb"))
    assert (len(nouns.ids("shared") or []), len(nouns.ids("novel") or [])) == (16, 12)
    assert (len(verbs.ids("shared") or []), len(verbs.ids("novel") or [])) == (8, 5)


def test_building_again_renders_nothing_and_a_missing_video_comes_back_the_same(world) -> None:
    folder, first = world
    assert first.made == sum(first.videos.values())
    before = tree(folder)
    assert build(folder, SIZE, 0, 1, Silent()).made == 0
    video = next(folder.rglob("*.MP4"))
    video.unlink()
    assert build(folder, SIZE, 0, 1, Silent()).made == 1
    assert tree(folder) == before


def test_a_folder_with_another_world_or_with_other_files_is_left_alone(world, tmp_path: Path) -> None:
    folder, _ = world
    with pytest.raises(InputError, match=r"holds the world .*asked for .*Choose another folder"):
        build(folder, SIZE, 1, 1, Silent())
    (tmp_path / "mine.txt").touch()
    with pytest.raises(InputError, match="is not empty and holds no Pocket Kitchens"):
        build(tmp_path, SIZE, 0, 1, Silent())
    with pytest.raises(UsageError, match="--size huge: expected small, demo, compact, medium, full"):
        build_world(tmp_path, "huge", 0, 1, Silent())


def test_the_facts_name_the_seed_and_the_size(world) -> None:
    assert json.loads((world[0] / "pocket.json").read_text()) == {
        "version": 2,
        "seed": 0,
        "train": 5,
        "test": 3,
        "per_video": [4, 10],
    }


@pytest.mark.parametrize("dataset", ["epic", "ego4d"])
def test_every_frame_of_every_clip_finds_its_boxes_in_the_table_of_its_domain(
    world: tuple[Path, BuiltWorld], workspace: Workspace, dataset: str
) -> None:
    folder, _ = world
    rows = pq.read_table(box_tables.table_path(folder, dataset)).to_pylist()
    times: dict[str, set[float]] = {}
    for row in rows:
        times.setdefault(row["video"], set()).add(row["time_s"])
    for split in ("train", "val"):
        for clip in read_rows(workspace.manifest(dataset, split) / "clips.parquet").to_pylist():
            of_video = times[clip["video_id"]]
            assert any(clip["start_s"] <= time < clip["stop_s"] for time in of_video)
            assert max(of_video) >= clip["stop_s"] - 0.6
    held = [row for row in rows if row["kind"] == "object"]
    assert held
    assert all(row["contact"] for row in held)


def test_both_domains_have_boxes_that_count_as_made_alike(world: tuple[Path, BuiltWorld]) -> None:
    folder, _ = world
    epic, ego4d = (BoxTable(box_tables.table_path(folder, name), 0.05) for name in ("epic", "ego4d"))
    assert epic.identity == ego4d.identity
