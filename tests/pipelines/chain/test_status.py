from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from data_manifests.errors import InputError, MissingUpstream
from pipelines.chain.status import status
from pipelines.chain.unused import find_unused
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.engine.workspace import Workspace
from pipelines.train.options import TrainOptions
from pipelines.train.plan import plan_run
from pipelines.train.run import train_run


def find(found, stage, dataset="mine", split="val", what=""):
    return next(s for s in found if (s.stage, s.dataset, s.split) == (stage, dataset, split) and what in s.what)


def test_an_empty_workspace_names_the_first_command(tmp_path):
    with pytest.raises(MissingUpstream, match="no dataset is prepared.*Run xmic prepare"):
        status(Workspace.open(tmp_path / "none"))


def test_everything_done_is_done_and_nothing_is_to_do(embedded):
    found = status(embedded)
    assert all(item.done and not item.why for item in found), [item.why for item in found]
    assert find(found, "decode").rows == 24
    assert {item.stage for item in found} == {"prepare", "decode", "detect-hands", "embed", "embed text"}


def test_a_deleted_shard_is_missing(embedded):
    part = next((embedded.root / "embeddings/mine/val").rglob("full/part-*"))
    part.unlink()
    found = find(status(embedded), "embed", what="full")
    assert (found.done, found.missing) == (0, 1)
    assert found.why == {part.name: "not made yet"}


def test_redone_boxes_make_the_hand_stream_stale_and_the_command_is_named(embedded):
    from pipelines.decode.plan import FramePlan
    from pipelines.decode.stage import DecodeStage
    from pipelines.engine import stage
    from pipelines.hands.detector import DetectorIdentity
    from pipelines.hands.stage import DetectHandsStage

    class Blind:
        def detect(self, images):
            return [[] for _ in images]

    frames = DecodeStage(embedded, "mine", "val", FramePlan(4, 1, 0))
    stage.run(DetectHandsStage(frames, DetectorIdentity("fake-hands-00000000", {"detector": "blind"}, {}), Blind))
    found = find(status(embedded), "embed", what="hand-")
    assert (found.done, found.stale) == (0, 1)
    assert list(found.why.values()) == ["input hands changed"]
    assert found.next.startswith("xmic embed mine --split val")
    assert find(status(embedded), "embed", what="full").done == 1


def test_boxes_and_class_lists_that_are_gone_make_stale_what_was_made_from_them(embedded):
    for detector in embedded.boxes_by("fake-hands-00000000"):
        shutil.rmtree(detector)
    embedded.classes_file("mine", "verb").unlink()
    found = status(embedded)
    assert list(find(found, "embed", what="hand-").why.values()) == ["input hands changed"]
    assert find(found, "embed", what="full").done == 1
    assert list(find(found, "embed text", split="", what="verb-").why.values()) == ["input classes changed"]
    assert find(found, "embed text", split="", what="noun-").done == 1


def test_imported_boxes_are_judged_by_the_frames_without_a_look_at_where_they_came_from(embedded, tmp_path, make_video):
    from pipelines.decode.plan import FramePlan
    from pipelines.decode.stage import DecodeStage
    from pipelines.engine import stage
    from pipelines.hands.box_table import BoxTable
    from pipelines.hands.imported import ImportHandsStage

    table = tmp_path / "hands.csv"
    rows = [f"val{video}.mp4,0.5,0,0,0.5,0.5,0.9" for video in range(6)]
    table.write_text("\n".join(["video,time_s,x0,y0,x1,y1,score", *rows]))
    frames = DecodeStage(embedded, "mine", "val", FramePlan(4, 1, 0))
    source = BoxTable(table, tolerance_s=1.0)
    stage.run(ImportHandsStage(frames, source.identity, source))
    table.unlink()
    found = find(status(embedded), "detect-hands", what="boxes-hands")
    assert (found.done, found.why) == (1, {})
    known = embedded.datasets["mine"]
    embedded.datasets["mine"] = replace(known, roots=(str(tmp_path), *known.roots))
    make_video(tmp_path / "val0.mp4", seconds=2, fps=12)
    stage.run(frames)
    found = find(status(embedded), "detect-hands", what="boxes-hands")
    assert list(found.why.values()) == ["input frames changed and 1 more"]
    assert found.next.endswith(" --detector boxes --boxes PATH")


def test_hands_of_another_detector_are_found_again_by_it(embedded, tmp_path, make_video):
    from pipelines.decode.plan import FramePlan
    from pipelines.decode.stage import DecodeStage
    from pipelines.engine import stage
    from pipelines.hands.detector import DetectorIdentity
    from pipelines.hands.stage import DetectHandsStage

    class NoHands:
        def detect(self, images):
            return [[] for _ in images]

    frames = DecodeStage(embedded, "mine", "val", FramePlan(4, 1, 0))
    identity = DetectorIdentity("mediapipe-0.10.14-12345678", {"detector": "mediapipe"}, {})
    stage.run(DetectHandsStage(frames, identity, NoHands))
    known = embedded.datasets["mine"]
    embedded.datasets["mine"] = replace(known, roots=(str(tmp_path), *known.roots))
    make_video(tmp_path / "val0.mp4", seconds=2, fps=12)
    stage.run(frames)
    assert find(status(embedded), "detect-hands", what="mediapipe").next.endswith(" --detector mediapipe")


def test_a_vanished_video_is_said_and_its_frames_stay_done(embedded):
    roots = embedded.datasets["mine"].roots
    moved = [shutil.move(root, root + "-moved") for root in roots]
    try:
        found = status(embedded)
        assert (find(found, "prepare").missing_videos, find(found, "decode").done) == (6, 1)
        assert find(found, "embed", what="full").done == 1
    finally:
        for root, folder in zip(roots, moved, strict=True):
            shutil.move(folder, root)


def test_verify_finds_a_flipped_bit_and_sets_the_shard_aside(embedded):
    part = next((embedded.root / "embeddings/mine/val").rglob("full/part-*"))
    data = bytearray(part.read_bytes())
    data[len(data) // 3] ^= 1
    part.write_bytes(bytes(data))
    assert find(status(embedded), "embed", what="full").done == 1, "the footer alone cannot show it"
    found = find(status(embedded, verify=True), "embed", what="full")
    assert (found.done, found.damaged) == (0, 1)
    assert part.with_name(part.name + ".damaged").is_file()


def test_a_damaged_manifest_stays_visible_and_no_stage_goes_on_without_its_split(embedded):
    clips = embedded.clips_file("mine", "val")
    data = bytearray(clips.read_bytes())
    data[40] ^= 1  # in the rows
    clips.write_bytes(bytes(data))
    for verify in (True, False):
        found = next(item for item in status(embedded, verify=verify) if (item.stage, item.split) == ("prepare", "val"))
        assert (found.done, found.damaged, found.next) == (0, 1, "xmic prepare")
    with pytest.raises(InputError, match="the clips of mine val were found damaged .* Run the same xmic prepare again"):
        embedded.choose("mine")
    assert embedded.choose("mine", ["train"]) == [("mine", "train")]
    assert not [item for item in find_unused(embedded) if "mine" in item.path.parts and "val" in item.path.parts]


def test_verify_reads_class_lists_heads_and_layouts_too(embedded, world):
    planned = plan_run(embedded, TrainOptions("mine", set={"epochs": 2, "batch": 4}))
    train_run(embedded, planned, Machine(device="cpu"), Silent())
    layout = next(folder for folder in (embedded.root / "cache/features").iterdir() if folder.is_dir())
    assert not [item for item in status(embedded, verify=True) if item.damaged]
    for file in (
        embedded.classes_file("mine", "noun"),
        planned.folder / "noun/metrics.jsonl",
        planned.folder / "verb/config.json",
        layout / "index.npy",
    ):
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(bytes(data))
    found = {item.stage: item.damaged for item in status(embedded, verify=True) if item.damaged}
    assert found == {"prepare": 1, "train": 2, "cache": 1}


def test_stale_class_names_name_the_command_that_makes_just_them(embedded, world):
    from pipelines.embed.text import text_stages
    from pipelines.engine import stage
    from pipelines.prepare.classes import read_classes
    from tests.pipelines.class_lists import write_classes

    for text in text_stages(embedded, "mine", world.encoder(), "a {}", "synonyms"):
        stage.run(text)
    classes = read_classes(embedded, "mine", "noun")
    write_classes(embedded, "mine", "noun", classes.slice(0, 2))
    found = find(status(embedded), "embed text", split="", what="noun-a-")
    assert (found.stale, list(found.why.values())) == (1, ["input classes changed"])
    assert found.next == f"xmic embed mine -w {embedded.root} --encoder fake --prompt 'a {{}}' --names synonyms"


def test_clip_vectors_are_judged_by_the_frames_and_by_which_clip_takes_which(embedded, world):
    from pipelines.decode.plan import FramePlan
    from pipelines.decode.stage import DecodeStage
    from pipelines.embed.clips import EmbedClipsStage
    from pipelines.engine import stage

    item = EmbedClipsStage(DecodeStage(embedded, "mine", "val", FramePlan(4, 1, 0)), world.encoder(), clip_frames=2)
    stage.run(item)
    found = find(status(embedded), "embed", what="/clip")
    assert (found.done, found.why) == (1, {})
    next(item.folder.glob("part-*")).unlink()
    stage.run(item)
    for part in item.folder.glob("part-*"):
        part.write_bytes(b"")
    found = find(status(embedded), "embed", what="/clip")
    assert found.done == 0
    assert "--clip-frames" in found.next
