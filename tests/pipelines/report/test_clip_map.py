from __future__ import annotations

import shutil

import numpy as np
import pytest

from pipelines.engine.clips import read_clips
from pipelines.engine.shards import read_rows
from pipelines.engine.workspace import Workspace
from pipelines.report import clip_map as module
from pipelines.report.clip_map import ASPECT, ClipMap, clip_map, principal_axes
from tests.pipelines.report.answered_world import models


def drawn(workspace: Workspace) -> ClipMap:
    found = clip_map(workspace, models(workspace))
    assert found is not None
    return found


def test_all_clips_of_all_splits_are_on_the_map_in_percent_of_it(answered: Workspace) -> None:
    found = drawn(answered)
    clips = [clip for pair in answered.prepared() for clip in read_clips(answered, *pair).clip_ids]
    assert sorted(point.words.split(" of ")[0] for point in found.points) == sorted(clips)
    assert all(0 <= point.x <= 100 and 0 <= point.y <= 100 for point in found.points)
    assert max(point.x for point in found.points) > 90 or max(point.y for point in found.points) > 90


def test_distances_are_those_of_the_mean_vectors_on_the_two_axes(answered: Workspace) -> None:
    found = drawn(answered)
    means: dict[str, np.ndarray] = {}
    for dataset, split in answered.prepared():
        (folder,) = answered.embeddings(dataset, split, "").glob("*/*/full")
        plan = folder.parent.parent.name
        rows = [row for part in folder.glob("part-*") for row in read_rows(part).to_pylist()]
        vectors = {(row["video_id"], row["pts"]): np.array(row["vector"], float) for row in rows}
        sides = (answered.frames(dataset, split, plan) / "clip_frames").glob("part-*")
        frames: dict[str, set[tuple[str, int]]] = {}
        for row in (row for part in sides for row in read_rows(part).to_pylist()):
            frames.setdefault(row["clip_id"], set()).add((row["video_id"], row["pts"]))
        for clip, keys in frames.items():
            total = sum(vectors[key] / np.linalg.norm(vectors[key]) for key in keys)
            means[f"{clip} of {dataset} {split}"] = total / np.linalg.norm(total)
    names = [point.words.partition(":")[0] for point in found.points]
    flat, kept = principal_axes(np.stack([means[name] for name in names]))
    assert found.kept == pytest.approx(kept)
    places = np.array([(point.x, -point.y / ASPECT) for point in found.points])
    between = [np.linalg.norm(of[:, None] - of[None], axis=2) for of in (places, flat)]
    assert between[0] == pytest.approx(between[1] * between[0].max() / between[1].max(), abs=0.02)


def test_axes_are_the_same_for_mirrored_vectors_in_another_order() -> None:
    vectors = np.random.default_rng(0).normal(size=(20, 6)) * [5, 3, 1, 1, 1, 1]
    flat, kept = principal_axes(vectors)
    again, _ = principal_axes(vectors[::-1])
    assert again[::-1] == pytest.approx(flat)
    assert kept[0] > kept[1] > 0
    assert sum(kept) < 100
    line, alone = principal_axes(np.array([[0.0], [1.0], [2.0]]))
    assert line[:, 1] == pytest.approx(0)
    assert alone == pytest.approx((100, 0))


def test_each_point_has_one_part_in_each_colouring_and_they_are_counted(answered: Workspace) -> None:
    found = drawn(answered)
    assert [one.name for one in found.colourings] == ["dataset", "noun", "verb", "noun-answers", "verb-answers"]
    for one in found.colourings:
        assert sum(count for _, _, count in one.parts) == len(found.points)
    names = [name for _, name, _ in found.colourings[0].parts]
    assert sorted(names) == ["mine train", "mine val", "other val"]
    answers = found.colourings[3]
    asked = sum(count for _, name, count in answers.parts if name != "not scored")
    assert asked == 12


def test_the_same_vectors_give_the_same_map_and_a_bounded_one_the_same_clips(
    answered: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert drawn(answered) == drawn(answered)
    monkeypatch.setattr(module, "MOST_POINTS", 9)
    found = drawn(answered)
    assert len(found.points) == 9
    assert found == drawn(answered)


def test_without_vectors_or_models_there_is_no_map(answered: Workspace) -> None:
    shown = models(answered)
    shutil.rmtree(answered.root / "embeddings")
    assert clip_map(answered, shown) is None
    assert clip_map(answered, []) is None
