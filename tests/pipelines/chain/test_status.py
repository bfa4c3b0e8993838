from __future__ import annotations

import os
import shutil
import socket
from dataclasses import replace

import pytest

from data_manifests.errors import Interrupted, MissingUpstream
from data_manifests.readers.table import TableReader
from pipelines.chain.status import status
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.engine.workspace import Workspace
from pipelines.prepare.stage import prepare
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


def test_runs_show_their_heads(embedded):
    planned = plan_run(embedded, TrainOptions("mine", set={"epochs": 1}, label="noun"))
    train_run(embedded, planned, Machine(device="cpu"), Silent())
    found = next(s for s in status(embedded) if s.stage == "train")
    assert (found.what, found.done) == (planned.name, 1)
    weights = planned.folder / "noun/weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    found = next(s for s in status(embedded, verify=True) if s.stage == "train")
    assert (found.done, found.damaged) == (0, 1)
    assert "not the weights that the head was finished with" in found.why["noun"]


def test_a_head_is_stopped_being_trained_or_not_begun(embedded, monkeypatch):
    planned = plan_run(embedded, TrainOptions("mine", set={"epochs": 1}))

    def why():
        return next(s for s in status(embedded) if s.stage == "train").why

    seen = []
    monkeypatch.setattr("pipelines.train.run.train_label", lambda *arguments: seen.append(why()))
    train_run(embedded, planned, Machine(device="cpu"), Silent(), limit=1)
    monkeypatch.undo()
    assert seen == [
        {"noun": f"process {os.getpid()} on host {socket.gethostname()} trains it", "verb": "not trained yet"}
    ]
    with pytest.raises(Interrupted):
        train_run(embedded, planned, Machine(device="cpu"), Silent(), stop=lambda: "SIGTERM")
    assert why() == {"noun": "stopped, goes on with the same command", "verb": "not trained yet"}


def test_a_run_is_stale_when_its_labels_were_prepared_anew(embedded, embedded_once, tmp_path):
    planned = plan_run(embedded, TrainOptions("mine", set={"epochs": 1}))
    train_run(embedded, planned, Machine(device="cpu"), Silent())
    table, videos = tmp_path / "mine.csv", embedded_once / "mine-videos"
    table.write_text((embedded_once / "mine.csv").read_text().replace("cut,bread,train", "cut,jar,train"))
    prepare(embedded, "mine", TableReader([(table, None)], roots=[videos]), [videos])
    found = next(s for s in status(embedded) if s.stage == "train")
    assert (found.done, found.stale) == (0, 2)
    assert found.why["verb"] == "the clips or labels of mine train have changed since; xmic train makes a new run"


def test_an_evaluation_is_stale_when_its_run_is_damaged_or_its_vectors_are_gone(embedded):
    from pipelines.evaluate.run import evaluate
    from pipelines.evaluate.trained import find_run

    planned = plan_run(embedded, TrainOptions("mine", set={"epochs": 1}))
    train_run(embedded, planned, Machine(device="cpu"), Silent())
    evaluate(embedded, find_run(embedded, None), [("mine", "val")], Machine(device="cpu"), Silent())
    found = next(s for s in status(embedded) if s.stage == "evaluate")
    assert (found.dataset, found.split, found.done) == ("mine", "val", 1)
    (planned.folder / "noun" / "config.json").rename(planned.folder / "noun" / "kept.json")
    found = next(s for s in status(embedded) if s.stage == "evaluate")
    assert "noun/config.json: not the configuration of a trained head" in found.why["predictions.parquet"]
    (planned.folder / "noun" / "kept.json").rename(planned.folder / "noun" / "config.json")
    shutil.rmtree(embedded.root / "embeddings/mine/val")
    found = next(s for s in status(embedded) if s.stage == "evaluate")
    assert (found.done, found.stale) == (0, 1)
    assert "the run used encoder fake-00000000" in found.why["predictions.parquet"]
    assert "xmic evaluate" in found.next


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
