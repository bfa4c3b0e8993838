from __future__ import annotations

import shutil
import threading
import time
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from data_manifests.errors import InputError, MissingUpstream
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import DecodeStage
from pipelines.embed import stage as embed_stage
from pipelines.embed.clips import EmbedClipsStage
from pipelines.embed.stage import EmbedStage
from pipelines.embed.tables import frame_vectors
from pipelines.engine import stage
from pipelines.engine.clips import read_clips
from pipelines.engine.locks import ShardLock
from pipelines.engine.progress import Silent
from pipelines.engine.shards import read_footer, read_rows, side_path
from pipelines.train.features import load_stream, require_width

ENCODER = "fake-00000000"
HAND = "hand-fake-hands-00000000-h0.5-o0.01-m0-center"


def train_frames(workspace):
    return DecodeStage(workspace, "mine", "train", FramePlan(4, 3, 0))


def test_every_clip_finds_the_vector_of_each_of_its_frames(in_parts):
    frames = train_frames(in_parts)
    clips = read_clips(in_parts, "mine", "train")
    stream = load_stream(in_parts, frames, ENCODER, "full", clips.clip_ids, Silent())
    assert stream.index.shape == (6, 4, 3)
    assert (stream.index >= 0).all()
    folder = in_parts.root / "embeddings/mine/train/seg4-k3-native-q95" / ENCODER / "full"
    vectors = {}
    wanted = []
    for part in sorted(folder.glob("part-*")):
        for row in read_rows(part).to_pylist():
            vectors[row["video_id"], row["pts"]] = np.array(row["vector"], np.float16)
        wanted += read_rows(side_path(frames.folder / part.name, "clip_frames")).to_pylist()
    assert len(wanted) == 6 * 4 * 3
    for row in wanted:
        place = stream.index[clips.clip_ids.index(row["clip_id"]), row["segment"], row["candidate"]]
        np.testing.assert_array_equal(stream.matrix[place], vectors[row["video_id"], row["pts"]])


def test_shards_of_many_row_groups_are_laid_out_whole(embedded, world, monkeypatch):
    few = frame_vectors(world.DIM)
    monkeypatch.setattr(embed_stage, "frame_vectors", lambda dim: replace(few, row_group=7))
    item = EmbedStage(train_frames(embedded), world.encoder("again"))
    stage.run(item)
    clips = read_clips(embedded, "mine", "train").clip_ids
    stream = load_stream(embedded, train_frames(embedded), "again-00000000", "full", clips, Silent())
    parts = [read_rows(part).column("vector").to_pylist() for part in sorted(item.folder.glob("part-*"))]
    assert max(map(len, parts)) > 7
    np.testing.assert_array_equal(stream.matrix, np.concatenate(parts).astype(np.float16))


def test_the_share_of_frames_without_a_hand_is_known_for_the_hand_stream_only(embedded):
    frames = train_frames(embedded)
    clips = read_clips(embedded, "mine", "train").clip_ids
    assert load_stream(embedded, frames, ENCODER, "full", clips, Silent()).whole_frame is None
    share = load_stream(embedded, frames, ENCODER, HAND, clips, Silent()).whole_frame
    rows = [
        row["whole_frame"]
        for part in (embedded.root / "embeddings/mine/train/seg4-k3-native-q95" / ENCODER / HAND).glob("part-*")
        for row in read_rows(part).to_pylist()
    ]
    assert share == pytest.approx(sum(rows) / len(rows))


def test_the_layout_is_made_once_and_again_when_a_shard_changes(embedded):
    frames = train_frames(embedded)
    clips = read_clips(embedded, "mine", "train").clip_ids
    first = load_stream(embedded, frames, ENCODER, "full", clips, Silent())
    files = sorted((embedded.root / "cache/features").rglob("matrix.npy"))
    load_stream(embedded, frames, ENCODER, "full", clips, Silent())
    assert sorted((embedded.root / "cache/features").rglob("matrix.npy")) == files
    other = load_stream(embedded, frames, ENCODER, HAND, clips, Silent())
    assert other.fingerprint != first.fingerprint


def test_a_missing_shard_of_vectors_names_the_command(embedded):
    frames = train_frames(embedded)
    clips = read_clips(embedded, "mine", "train").clip_ids
    part = next((embedded.root / "embeddings/mine/train/seg4-k3-native-q95" / ENCODER / "full").glob("part-*"))
    part.unlink()
    with pytest.raises(MissingUpstream, match=r"no vectors of these frames\. Run xmic embed mine --split train"):
        load_stream(embedded, frames, ENCODER, "full", clips, Silent())


def test_vectors_of_other_frames_are_refused(embedded):
    frames = train_frames(embedded)
    clips = read_clips(embedded, "mine", "train").clip_ids
    base = embedded.root / "embeddings/mine"
    part = next((base / "train/seg4-k3-native-q95" / ENCODER / "full").glob("part-*"))
    stranger = next((base / "val/seg4-k1-native-q95" / ENCODER / "full").glob("part-*"))
    shutil.copy(stranger, part)
    with pytest.raises(MissingUpstream, match="made from other frames than are there now"):
        load_stream(embedded, frames, ENCODER, "full", clips, Silent())


def test_shards_made_in_different_ways_are_refused_with_both_values(embedded, world):
    from pipelines.embed.stage import EmbedStage
    from pipelines.engine.stage import require_same

    part = next((embedded.root / "embeddings/mine/train").rglob("full/part-*"))
    one = read_footer(part).provenance
    with pytest.raises(InputError, match=r"precision is 'fp32' in a but 'bf16' in b"):
        require_same("vectors", {"a": one, "b": {**one, "precision": "bf16"}})
    assert EmbedStage(train_frames(embedded), world.encoder()).provenance == one


def test_clips_without_a_label_have_minus_one(embedded):
    clips = read_clips(embedded, "mine", "train")
    assert clips.labels["noun"].tolist() == [0, 2, 1, 0, 2, 1]
    with pytest.raises(MissingUpstream, match="not prepared"):
        read_clips(embedded, "mine", "test")


@pytest.fixture
def with_clips(in_parts, world):
    stage.run(EmbedClipsStage(train_frames(in_parts), world.encoder(), clip_frames=4))
    return in_parts


def test_every_clip_finds_the_vector_of_each_of_its_draws(with_clips):
    clips = read_clips(with_clips, "mine", "train")
    stream = load_stream(with_clips, train_frames(with_clips), ENCODER, "clip", clips.clip_ids, Silent())
    assert (stream.index.shape, stream.whole_frame) == ((6, 1, 3), None)
    rows = [
        row
        for part in (with_clips.root / "embeddings/mine/train/seg4-k3-native-q95" / ENCODER / "clip").glob("part-*")
        for row in read_rows(part).to_pylist()
    ]
    assert len(rows) == 18
    for row in rows:
        place = stream.index[clips.clip_ids.index(row["clip_id"]), 0, row["draw"]]
        np.testing.assert_array_equal(stream.matrix[place], np.array(row["vector"], np.float16))


def test_clip_vectors_of_other_clips_than_are_there_now_are_refused(with_clips):
    frames = train_frames(with_clips)
    clips = read_clips(with_clips, "mine", "train").clip_ids
    part = next((with_clips.root / "embeddings/mine/train").rglob("clip/part-*.parquet"))
    footer = read_footer(part)
    assert footer.inputs["clip_frames"] == read_footer(frames.folder / part.name).sides["clip_frames"]
    text = pq.read_metadata(part).metadata[b"xmic"].decode()
    changed = text.replace(footer.inputs["clip_frames"], "0" * 64)
    table = pq.read_table(part)
    pq.write_table(table.replace_schema_metadata({"xmic": changed}), part)
    with pytest.raises(MissingUpstream, match="made from other frames than are there now"):
        load_stream(with_clips, frames, ENCODER, "clip", clips, Silent())


def test_classified_vectors_and_class_names_of_different_widths_are_refused(embedded):
    clips = read_clips(embedded, "mine", "train").clip_ids
    streams = {"frames": load_stream(embedded, train_frames(embedded), ENCODER, "full", clips, Silent())}
    require_width(streams, 64)
    with pytest.raises(InputError, match="the classified vectors have 64 values, the class names 256"):
        require_width(streams, 256)


def test_vectors_that_another_process_lays_out_are_waited_for(embedded):
    frames = train_frames(embedded)
    clips = read_clips(embedded, "mine", "train").clip_ids
    load_stream(embedded, frames, ENCODER, "full", clips, Silent())
    (cache,) = (path for path in (embedded.root / "cache/features").iterdir() if path.name != ".locks")
    shutil.rmtree(cache)
    lock = ShardLock(cache.parent / ".locks" / f"{cache.name}.lock")
    assert lock.acquire()
    found = []
    waiting = threading.Thread(
        target=lambda: found.append(load_stream(embedded, frames, ENCODER, "full", clips, Silent()))
    )
    waiting.start()
    time.sleep(0.3)
    assert not cache.exists()
    lock.release()
    waiting.join()
    assert len(found) == 1
    assert (cache / "done.json").is_file()
