from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_manifests.errors import TooManyFailures
from data_manifests.readers.table import TableReader
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import DecodeStage
from pipelines.engine import stage
from pipelines.engine.shards import read_rows
from pipelines.engine.workspace import DatasetSettings, Workspace
from pipelines.hands.crops import CropPolicy
from pipelines.hands.stage import read_boxes
from pipelines.look.split_facts import split_facts
from pipelines.prepare.stage import prepare


def test_the_rate_of_hands_is_that_of_the_boxes_and_the_clips_without_one_are_named(embedded: Workspace) -> None:
    (folder,) = (embedded.root / "hands" / "mine" / "val").glob("*/*")
    boxes = {key: found for part in folder.glob("part-*") for key, found in read_boxes(part).items()}
    hands = split_facts(embedded, "mine", "val").hands
    assert hands is not None
    assert hands.detector == folder.name
    assert (hands.frames, hands.with_hand) == (len(boxes), sum(map(bool, boxes.values())))
    assert hands.rate == 100 * hands.with_hand / hands.frames
    (frames,) = (embedded.root / "frames" / "mine" / "val").glob("*/clip_frames")
    seen: dict[str, bool] = {}
    for row in (row for part in frames.glob("part-*") for row in read_rows(part).to_pylist()):
        seen[row["clip_id"]] = seen.get(row["clip_id"], False) or bool(boxes[row["video_id"], row["pts"]])
    assert list(hands.clips_without) == sorted(clip for clip, found in seen.items() if not found)


def test_the_crops_are_those_that_were_embedded(embedded: Workspace) -> None:
    (hands,) = (embedded.root / "embeddings" / "mine" / "val").glob("*/*/hand-*")
    other = CropPolicy(0.3, margin=0.2)
    hands.rename(hands.with_name(f"hand-fake-hands-00000000-{other.slug}"))
    found = split_facts(embedded, "mine", "val").hands
    assert found is not None
    assert found.policy == other
    shutil.rmtree(embedded.root / "embeddings")
    found = split_facts(embedded, "mine", "val").hands
    assert found is not None
    assert found.policy == CropPolicy()


def test_what_is_missing_is_said_with_the_command_that_makes_it(embedded: Workspace) -> None:
    assert split_facts(embedded, "mine", "val").notices == []
    shutil.rmtree(embedded.root / "hands")
    facts = split_facts(embedded, "mine", "val")
    assert facts.hands is None
    assert [(what, command.split()[:3]) for what, command in facts.notices] == [
        ("no hand boxes yet", ["xmic", "detect-hands", "mine"])
    ]
    shutil.rmtree(embedded.root / "frames")
    facts = split_facts(embedded, "mine", "val")
    assert (facts.frames, facts.pictures) == (None, None)
    assert [(what, command.split()[:3]) for what, command in facts.notices] == [
        ("no frames yet, so there are no pictures", ["xmic", "decode", "mine"])
    ]


@pytest.fixture
def prepared(tmp_path: Path, make_video: Any) -> Workspace:
    """A dataset with rejected rows, a video that is gone and one that is no video; nothing decoded."""
    videos = tmp_path / "videos"
    videos.mkdir()
    make_video(videos / "a.mp4", seconds=2, fps=10)
    (videos / "broken.mp4").write_bytes(b"no video")
    rows = [
        "video,start_s,stop_s,verb,noun,split",
        "a.mp4,0,1.5,cut,bread,train",
        "a.mp4,0.5,,stir,pan,train",
        "broken.mp4,0,4,stir,pan,train",
        "gone.mp4,0,3,stir,pan,train",
        *(f"a.mp4,1,{stop},cut,bread,train" for stop in (1, 0.5)),
    ]
    (tmp_path / "clips.csv").write_text("\n".join(rows) + "\n")
    workspace = Workspace.open(tmp_path / "work")
    workspace.datasets["mine"] = DatasetSettings("table", (str(videos),), 1)
    prepare(workspace, "mine", TableReader([(tmp_path / "clips.csv", None)], roots=[videos]), [videos])
    return workspace


def test_rejected_rows_have_their_reason_number_and_place(prepared: Workspace) -> None:
    facts = split_facts(prepared, "mine", "train")
    [lost] = facts.lost
    assert (lost.stage, lost.reason, lost.count) == ("prepare", "not_positive_duration", 2)
    assert lost.meaning == "stop is not after start"
    assert "row 6" in lost.rows[0]
    assert facts.missing_videos == 1


def test_failed_frames_are_counted_and_an_open_end_is_that_of_its_video(prepared: Workspace) -> None:
    before = split_facts(prepared, "mine", "train")
    with pytest.raises(TooManyFailures):
        stage.run(DecodeStage(prepared, "mine", "train", FramePlan(2, 1, 64)))
    facts = split_facts(prepared, "mine", "train")
    failed = {lost.reason: lost for lost in facts.lost if lost.stage == "decode"}
    assert failed["missing_video"].count == 2
    broken = next(lost for lost in failed.values() if "broken" in lost.rows[0])
    assert broken.count == 2
    known = dict(zip(before.clips.clip_ids, before.seconds, strict=True))
    now = dict(zip(facts.clips.clip_ids, facts.seconds, strict=True))
    [open_end] = [clip for clip, length in known.items() if np.isnan(length)]
    assert now[open_end] == pytest.approx(1.5, abs=0.11)
    assert {clip: now[clip] for clip in known if clip != open_end} == {
        clip: length for clip, length in known.items() if clip != open_end
    }
