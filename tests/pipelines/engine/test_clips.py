from __future__ import annotations

import pickle
import tracemalloc

import numpy as np
import pyarrow as pa
import pytest

from data_manifests.errors import MissingUpstream
from data_manifests.schema import CLIPS
from pipelines.engine.clips import Clip, Clips, clips_footer, iter_clips, read_clips, read_videos
from pipelines.engine.digest import digest_groups
from pipelines.engine.shard_writer import PartWriter
from pipelines.engine.shards import Layout
from pipelines.engine.workspace import Workspace

ROWS = [
    {"clip_id": "a", "video_id": "v", "start_s": 0.0, "stop_s": 1.0, "noun_class": 2, "recording_id": "r"},
    {"clip_id": "b", "video_id": "w", "start_s": 3.0, "start_frame": 7, "stop_frame": 9, "recording_id": "s"},
    {"clip_id": "c", "video_id": "v", "start_s": 2.0, "participant_id": "P01", "all_noun_classes": [4, 5]},
]
TABLE = pa.Table.from_pylist(ROWS, schema=CLIPS)


def _many(clips):
    numbers = np.arange(clips)
    ids = pa.array([f"clip-{number}" for number in numbers])
    columns = {"clip_id": ids, "video_id": pa.array([f"video-{number // 1000}" for number in numbers])}
    times = {"start_s": pa.array(1.0 * numbers), "stop_s": pa.array(numbers + 0.5)}
    frames = {name: pa.nulls(clips, pa.int32()) for name in ("start_frame", "stop_frame")}
    return pa.table({**columns, **times, **frames})


class Reading:
    """The clips of :data:`TABLE`, and which columns of it were read."""

    def __init__(self) -> None:
        self.read: list[list[str]] = []
        self.clips = Clips(self._read)

    def _read(self, columns):
        self.read.append(list(columns))
        return TABLE.select(list(columns))


def test_clips_are_in_manifest_order_and_a_class_that_is_missing_is_minus_one():
    clips = Reading().clips
    assert (clips.clip_ids, clips.video_ids, clips.recordings) == (["a", "b", "c"], ["v", "w", "v"], ["r", "s", None])
    assert {label: values.tolist() for label, values in clips.labels.items()} == {
        "noun": [2, -1, -1],
        "verb": [-1, -1, -1],
    }
    assert (clips.participants, clips.nouns) == ([None, None, "P01"], [[], [], [4, 5]])


def test_nothing_is_read_before_it_is_asked_for_and_what_belongs_together_at_once():
    reading = Reading()
    assert reading.read == []
    for _ in range(2):
        assert reading.clips.participants[2] == "P01"
        assert (reading.clips.clip_ids[0], reading.clips.recordings[0]) == ("a", "r")
        assert reading.clips.labels["noun"][0] == 2
    assert reading.read == [
        ["participant_id"],
        ["clip_id", "video_id", "recording_id", "noun_class", "verb_class"],
    ]


def test_the_intervals_of_a_video_are_its_clips_in_manifest_order_and_so_is_what_their_digest_is_of():
    reading = Reading()
    assert {video: list(clips) for video, clips in reading.clips.by_video().items()} == {
        "v": [Clip("a", 0.0, 1.0), Clip("c", 2.0, None)],
        "w": [Clip("b", 3.0, None, 7, 9)],
    }
    columns = ["clip_id", "start_s", "stop_s", "start_frame", "stop_frame"]
    assert reading.clips.digests_by_video() == digest_groups(TABLE, "video_id", columns)
    assert len(reading.read) == 1


def test_a_video_s_clips_are_a_sequence_that_another_process_gets_without_those_of_other_videos():
    clips = Reading().clips.by_video()["v"]
    assert (len(clips), clips[0], clips[-1]) == (2, Clip("a", 0.0, 1.0), Clip("c", 2.0, None))
    assert list(clips[1:]) == [clips[1]]
    with pytest.raises(IndexError):
        clips[2]
    assert pickle.loads(pickle.dumps(clips)) == [Clip("a", 0.0, 1.0), Clip("c", 2.0, None)]
    a_video = Clips(_many(100_000).select).by_video()["video-7"]
    assert len(pickle.dumps(a_video)) < 100 * len(a_video)


def test_the_clips_of_videos_take_a_tenth_of_the_memory_of_objects():
    clips = Clips(_many(100_000).select)
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    try:
        videos = clips.by_video()
        compact = tracemalloc.get_traced_memory()[0] + pa.total_allocated_bytes() - before
        objects = {video: list(of) for video, of in videos.items()}
        everything = tracemalloc.get_traced_memory()[0] + pa.total_allocated_bytes() - before
    finally:
        tracemalloc.stop()
    assert {video: len(of) for video, of in objects.items()} == {f"video-{number}": 1000 for number in range(100)}
    assert 10 * compact < everything


def test_some_clips_are_those_of_all_that_are_named():
    reading = Reading()
    some = reading.clips.only({"c", "a", "not there"})
    assert (some.clip_ids, some.labels["noun"].tolist()) == (["a", "c"], [2, -1])
    assert (some.nouns, list(some.by_video())) == ([[], [4, 5]], ["v"])
    assert reading.clips.only(set()).clip_ids == []
    assert reading.read.count(["clip_id", "video_id", "recording_id", "noun_class", "verb_class"]) == 1


def test_the_clips_of_a_workspace_are_those_of_its_manifest(tmp_path):
    workspace = Workspace(tmp_path)
    part = PartWriter(workspace.clips_file("mine", "val"), Layout(CLIPS, row_group=2))
    part.write(TABLE)
    facts = {"stage": "clips", "version": 2, "key": "", "attempted": 3, "failures": {}, "params": {}, "inputs": {}}
    digest = part.finish(facts)
    part.commit()
    assert read_clips(workspace, "mine", "val").clip_ids == ["a", "b", "c"]
    assert list(iter_clips(workspace, "mine", "val", ["clip_id"])) == [{"clip_id": of} for of in "abc"]
    footer = clips_footer(workspace, "mine", "val")
    assert (footer.rows, footer.digest) == (3, digest)


def test_a_split_that_is_not_prepared_names_the_command(tmp_path):
    with pytest.raises(MissingUpstream, match=r"clips\.parquet: not prepared\. Run xmic prepare for mine val\."):
        read_clips(Workspace(tmp_path), "mine", "val")
    with pytest.raises(FileNotFoundError):
        read_videos(Workspace(tmp_path), "mine", "val")
