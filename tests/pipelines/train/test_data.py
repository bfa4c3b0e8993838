from __future__ import annotations

import numpy as np
import torch

from pipelines.decode.plan import clip_key, draw_candidates
from pipelines.train.data import ClipData, usable_clips
from pipelines.train.features import StreamVectors
from tests.pipelines import manifest_clips


def stream(index):
    rows = int(index.max()) + 1
    matrix = np.arange(rows * 2, dtype=np.float16).reshape(rows, 2)
    return StreamVectors(matrix, index, None, {}, "")


def world(clips=5, segments=4, candidates=3):
    index = np.arange(clips * segments * candidates, dtype=np.int32).reshape(clips, segments, candidates)
    ids = [f"clip{i}" for i in range(clips)]
    return stream(index), manifest_clips.clips(ids, {"noun": [0, 1, -1, 1, 0], "verb": [0] * 5})


def test_a_clip_without_a_label_or_a_frame_is_not_usable():
    vectors, clips = world()
    vectors.index[4, 2, 1] = -1
    assert usable_clips(clips, {"frames": vectors}, "noun").rows.tolist() == [0, 1, 3]
    assert usable_clips(clips, {"frames": vectors}, "verb").rows.tolist() == [0, 1, 2, 3]
    assert usable_clips(clips, {"frames": vectors}, None).rows.tolist() == [0, 1, 2, 3]


def test_a_frame_missing_in_one_stream_takes_the_clip_from_all():
    vectors, clips = world()
    other, _ = world()
    other.index[1, 0, 0] = -1
    assert 1 not in usable_clips(clips, {"frames": vectors, "hand": other}, "verb").rows


def test_every_stream_has_the_same_drawn_frames_of_the_right_clip():
    vectors, clips = world()
    usable = usable_clips(clips, {"frames": vectors}, "noun")
    data = ClipData({"frames": vectors, "full": vectors}, usable, clips.clip_ids, 7, torch.device("cpu"))
    indices = np.array([2, 0])
    batch = data.batch(indices, epoch=3)
    keys = np.array([clip_key("clip3"), clip_key("clip0")], np.uint64)
    drawn = draw_candidates(7, 3, keys, 4, 3)
    for position, clip in enumerate((3, 0)):
        for segment in range(4):
            row = vectors.index[clip, segment, drawn[position, segment]]
            assert batch.frames[position, segment].tolist() == vectors.matrix[row].tolist()
    assert torch.equal(batch.frames, batch.full)
    assert batch.hand is None
    assert batch.frames.dtype == torch.float32


def test_evaluation_takes_the_segment_centres():
    vectors, clips = world()
    usable = usable_clips(clips, {"frames": vectors}, "noun")
    data = ClipData({"frames": vectors}, usable, clips.clip_ids, None, torch.device("cpu"))
    batch = data.batch(np.array([0]), epoch=0)
    assert batch.frames[0, :, 0].tolist() == [float(vectors.matrix[vectors.index[0, s, 1], 0]) for s in range(4)]


def test_a_clip_vector_is_drawn_with_the_first_segment_and_stands_alone():
    vectors, clips = world()
    draws = stream(np.arange(15, dtype=np.int32).reshape(5, 1, 3))
    streams = {"frames": draws, "full": vectors}
    usable = usable_clips(clips, streams, "noun")
    indices = np.array([2, 0])
    batch = ClipData(streams, usable, clips.clip_ids, 7, torch.device("cpu")).batch(indices, epoch=3)
    assert batch.frames.shape == (2, 1, 2)
    assert batch.full.shape == (2, 4, 2)
    drawn = draw_candidates(7, 3, np.array([clip_key("clip3"), clip_key("clip0")], np.uint64), 4, 3)
    for position, clip in enumerate((3, 0)):
        assert batch.frames[position, 0].tolist() == draws.matrix[draws.index[clip, 0, drawn[position, 0]]].tolist()
        frame = vectors.index[clip, 3, drawn[position, 3]]
        assert batch.full[position, 3].tolist() == vectors.matrix[frame].tolist()
    centre = ClipData(streams, usable, clips.clip_ids, None, torch.device("cpu")).batch(indices, epoch=0)
    assert centre.frames[:, 0, 0].tolist() == [float(draws.matrix[draws.index[clip, 0, 1], 0]) for clip in (3, 0)]


def test_a_clip_that_lacks_a_draw_is_not_usable():
    vectors, clips = world()
    draws = stream(np.arange(15, dtype=np.int32).reshape(5, 1, 3))
    draws.index[1, 0, 2] = -1
    assert usable_clips(clips, {"frames": draws, "full": vectors}, "verb").rows.tolist() == [0, 2, 3, 4]
