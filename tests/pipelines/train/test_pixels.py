from __future__ import annotations

import shutil
import threading
import time
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from data_manifests.errors import MissingUpstream
from pipelines.decode.encode_jpeg import from_jpeg
from pipelines.decode.plan import FramePlan, clip_key, draw_candidates
from pipelines.decode.stage import DecodeStage
from pipelines.engine.clips import read_clips
from pipelines.engine.progress import Silent
from pipelines.engine.shards import read_rows, side_path
from pipelines.hands.crops import CropPolicy, crop, union_box
from pipelines.hands.stage import read_boxes
from pipelines.train.backbone import Towers
from pipelines.train.data import ClipData, usable_clips
from pipelines.train.features import load_stream
from pipelines.train.pixels import load_pictures
from tests.pipelines.train.loop_world import Notes

ENCODER, PLAN = "fake-00000000", "seg4-k3-native-q95"
HAND = "hand-fake-hands-00000000-h0.5-o0.01-m0-center"


def prepare(picture):
    return cv2.resize(picture, (8, 8), interpolation=cv2.INTER_AREA).transpose(2, 0, 1)


TOWERS = Towers(visual=SimpleNamespace(size=8), picture=prepare)


def load(workspace, stream="full", progress=None, towers=TOWERS):
    frames = DecodeStage(workspace, "mine", "train", FramePlan(4, 3, 0))
    clips = read_clips(workspace, "mine", "train")
    streams = {"frames": load_stream(workspace, frames, ENCODER, stream, clips.clip_ids, Silent())}
    protocol = SimpleNamespace(needed={"frames": (ENCODER, stream)})
    return clips, streams, load_pictures(frames, protocol, streams, towers, 2, progress or Silent())


def stored(workspace):
    """(clip, segment, candidate) → the frame's key; and key → its picture as it is stored."""
    folder = workspace.root / "frames/mine/train" / PLAN
    wanted, pictures = {}, {}
    for part in sorted(folder.glob("part-*")):
        for row in read_rows(part).to_pylist():
            pictures[row["video_id"], row["pts"]] = from_jpeg(row["jpeg"])
        for row in read_rows(side_path(part, "clip_frames")).to_pylist():
            wanted[row["clip_id"], row["segment"], row["candidate"]] = row["video_id"], row["pts"]
    return wanted, pictures


def layout(workspace):
    """The folder of the only pictures that are laid out."""
    (done,) = (workspace.root / "cache/pixels").glob("*/jpegs.bin")
    return done.parent


def data_of(clips, streams, pictures, seed):
    usable = usable_clips(clips, streams, "noun")
    return ClipData(streams, usable, clips.clip_ids, seed, torch.device("cpu"), pictures)


def test_the_pictures_are_the_frames_that_the_draw_takes_for_the_vectors(in_parts):
    clips, streams, pictures = load(in_parts)
    wanted, frames = stored(in_parts)
    batch = data_of(clips, streams, pictures, 7).batch(np.array([4, 0]), epoch=2)
    assert batch.pixels.shape == (2, 4, 3, 8, 8)
    assert batch.pixels.dtype == torch.uint8
    ids = [clips.clip_ids[4], clips.clip_ids[0]]
    drawn = draw_candidates(7, 2, np.array([clip_key(name) for name in ids], np.uint64), 4, 3)
    for place, name in enumerate(ids):
        for segment in range(4):
            expected = prepare(frames[wanted[name, segment, int(drawn[place, segment])]])
            np.testing.assert_array_equal(batch.pixels[place, segment], expected)


def test_hand_crops_are_cut_as_for_the_vectors(in_parts):
    clips, streams, pictures = load(in_parts, HAND)
    wanted, frames = stored(in_parts)
    boxes = {}
    for part in (in_parts.root / "hands/mine/train" / PLAN / "fake-hands-00000000").glob("part-*"):
        boxes |= read_boxes(part)
    batch = data_of(clips, streams, pictures, None).batch(np.arange(6), epoch=0)
    cut = 0
    for place, name in enumerate(clips.clip_ids):
        for segment in range(4):
            key = wanted[name, segment, 1]
            height, width = frames[key].shape[:2]
            box = union_box(boxes[key], CropPolicy(), width, height)
            cut += box is not None
            expected = prepare(crop(frames[key], box, CropPolicy()))
            np.testing.assert_array_equal(batch.pixels[place, segment], expected)
    assert 0 < cut < 24


def test_they_are_laid_out_once_and_again_for_other_crops(embedded):
    notes = Notes()
    for stream in ("full", "full", HAND, HAND):
        load(embedded, stream, notes)
    assert [text for text in notes.texts if "pictures" in text] == [
        f"laying out frames/mine/train/{PLAN} for training on pictures"
    ] * 2
    assert len(list((embedded.root / "cache/pixels").glob("*/done.json"))) == 2


def test_a_layout_that_was_not_finished_is_made_again(embedded):
    _, _, whole = load(embedded)
    cache = layout(embedded)
    (cache / "done.json").unlink()
    # What is mapped stays until it is let go of.
    (cache / "jpegs.bin").unlink()
    (cache / "jpegs.bin").write_bytes(b"half")
    _, _, again = load(embedded)
    rows = np.arange(len(whole.spans))
    assert torch.equal(again.read(rows), whole.read(rows))


def test_a_layout_whose_pictures_were_cut_short_is_made_again(embedded):
    rows = np.arange(6)
    whole = load(embedded)[2].read(rows)
    cache = layout(embedded)
    data = (cache / "jpegs.bin").read_bytes()
    (cache / "jpegs.bin").unlink()
    (cache / "jpegs.bin").write_bytes(data[: len(data) // 2])
    notes = Notes()
    assert torch.equal(load(embedded, progress=notes)[2].read(rows), whole)
    assert len(notes.texts) == 1
    assert (cache / "jpegs.bin").read_bytes() == data


def test_of_two_that_lay_out_the_same_pictures_the_second_waits_for_the_first(embedded):
    begun, go = threading.Event(), threading.Event()

    class Held(Notes):
        def note(self, text):
            super().note(text)
            begun.set()
            assert go.wait(30)

    notes, found = Held(), []

    def read():
        pictures = load(embedded, progress=notes)[2]
        found.append(pictures.read(np.arange(len(pictures.spans))))

    readers = [threading.Thread(target=read) for _ in range(2)]
    readers[0].start()
    assert begun.wait(30)
    readers[1].start()
    time.sleep(0.5)
    go.set()
    for reader in readers:
        reader.join()
    assert [text.partition(" ")[0] for text in notes.texts] == ["laying", "another"]
    assert torch.equal(*found)


def test_a_method_that_sees_no_pictures_lays_out_none(embedded):
    clips, streams, pictures = load(embedded, towers=Towers())
    assert pictures is None
    assert data_of(clips, streams, None, 0).batch(np.array([0]), epoch=0).pixels is None
    assert not (embedded.root / "cache/pixels").exists()


def test_frames_that_are_gone_are_refused_with_the_command_that_makes_them(embedded):
    _, streams, _ = load(embedded)
    shutil.rmtree(embedded.root / "frames/mine/train" / PLAN)
    protocol = SimpleNamespace(needed={"frames": (ENCODER, "full")})
    frames = DecodeStage(embedded, "mine", "train", FramePlan(4, 3, 0))
    with pytest.raises(MissingUpstream, match="no frames. Run xmic decode mine --split train"):
        load_pictures(frames, protocol, streams, TOWERS, 1, Silent())


def test_boxes_that_are_gone_or_others_are_refused(embedded):
    load(embedded, HAND)
    folder = embedded.root / "hands/mine/train" / PLAN / "fake-hands-00000000"
    part = next(iter(sorted(folder.glob("part-*"))))
    other = embedded.root / "hands/mine/val/seg4-k1-native-q95/fake-hands-00000000"
    shutil.copy(next(iter(sorted(other.glob("part-*")))), part)
    with pytest.raises(
        MissingUpstream, match="other boxes than the vectors were made with. Run the same xmic embed again"
    ):
        load(embedded, HAND)
    part.unlink()
    with pytest.raises(MissingUpstream, match="no hand boxes to cut the pictures by. Run xmic detect-hands mine"):
        load(embedded, HAND)


def test_a_damaged_layout_is_made_again(embedded):
    _, _, pictures = load(embedded)
    expected = pictures.read(np.array([0]))
    cache = layout(embedded)
    (cache / "jpegs.bin").unlink()
    (cache / "jpegs.bin").write_bytes(b"\0" * len(pictures.jpegs))
    assert torch.equal(load(embedded)[2].read(np.array([0])), expected)
