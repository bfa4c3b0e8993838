from __future__ import annotations

from typing import Any

import pyarrow as pa

from data_manifests.schema import CLIPS
from data_manifests.shared_clips import shared_clips


def _clips(*rows: dict[str, Any]) -> pa.Table:
    full = [{"video_id": "a.mp4", "start_s": 0.0, "stop_s": 1.0, **row} for row in rows]
    return pa.Table.from_pylist(full, schema=CLIPS)


def test_the_same_video_and_times_are_the_same_clip_whatever_it_is_called() -> None:
    train = _clips({"clip_id": "1"}, {"clip_id": "2", "start_s": 0.5})
    val = _clips({"clip_id": "x"}, {"clip_id": "y", "start_s": 0.25}, {"clip_id": "z", "video_id": "b.mp4"})
    assert shared_clips({"val": val, "train": train}) == {
        "train": [],
        "val": ["1 of 3 clips are clips of train too, by video, start and stop; the first is x"],
    }


def test_one_id_of_two_clips_is_told_apart_from_a_clip_that_stands_twice() -> None:
    train, test = _clips({"clip_id": "1"}, {"clip_id": "2"}), _clips({"clip_id": "1"}, {"clip_id": "2", "stop_s": 9.0})
    assert shared_clips({"train": train, "test": test})["test"] == [
        "1 of 2 clips are clips of train too, by video, start and stop; the first is 1",
        "1 of 2 clip ids are ids of other clips in train; the first is 2",
    ]


def test_numbers_of_jpegs_tell_clips_apart_where_there_are_no_seconds() -> None:
    frames = {"stop_s": None, "start_frame": 1}
    train = _clips({"clip_id": "1", "stop_frame": 5, **frames}, {"clip_id": "2", "start_frame": 1, "stop_frame": 5})
    val = _clips({"clip_id": "x", "stop_frame": 6, **frames}, {"clip_id": "y", "stop_frame": 5, **frames})
    assert shared_clips({"train": train, "val": val})["val"] == [
        "1 of 2 clips are clips of train too, by video, start and stop; the first is y"
    ]
    assert "1 of 1" in shared_clips({"train": train, "val": _clips({"clip_id": "z"})})["val"][0]


def test_each_pair_of_splits_is_compared_and_splits_without_clips_share_none() -> None:
    one = _clips({"clip_id": "1"})
    said = shared_clips({"train": one, "val": one, "test": one})
    assert [len(said[split]) for split in ("train", "val", "test")] == [0, 1, 2]
    assert shared_clips({"train": one, "val": one.slice(0, 0)})["val"] == []
    assert shared_clips({"train": one}) == {"train": []}
