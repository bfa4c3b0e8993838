from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_manifests.errors import UsageError
from pipelines.decode.encode_jpeg import from_jpeg
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import DecodeStage
from pipelines.embed.clips import Draw, EmbedClipsStage, _with_frames, clip_segments
from pipelines.embed.stage import LazyEncoder
from pipelines.engine import stage
from pipelines.engine.shards import read_footer, read_rows, side_path
from pipelines.engine.stage import RunPolicy
from tests.pipelines.frame_shards import write_again


def frames_of(workspace, split="train"):
    return DecodeStage(workspace, "mine", split, FramePlan(4, 3 if split == "train" else 1, 0))


def pictures(frames):
    found = {}
    for part in frames.folder.glob("part-*"):
        for row in read_rows(part).to_pylist():
            found[row["video_id"], row["pts"]] = from_jpeg(row["jpeg"])
    return found


def rows_of(item):
    return [row for part in sorted(item.folder.glob("part-*")) for row in read_rows(part).to_pylist()]


def test_four_frames_of_sixteen_are_those_at_half_of_each_quarter():
    plan = FramePlan(16)
    assert clip_segments(plan, 16) == list(range(16))
    assert clip_segments(plan, 4) == [2, 6, 10, 14]
    with pytest.raises(UsageError, match="--clip-frames 5: the frame plan seg16-k1-256px-q95 has 16 segments"):
        clip_segments(plan, 5)


@pytest.mark.parametrize(("count", "segments"), [(4, [0, 1, 2, 3]), (2, [1, 3])])
def test_draw_j_is_made_of_the_jth_candidate_of_each_segment(embedded, world, count, segments):
    frames = frames_of(embedded)
    item = EmbedClipsStage(frames, world.encoder("clips"), clip_frames=count)
    report = stage.run(item)
    wanted = {}
    for part in frames.folder.glob("part-*"):
        for row in read_rows(side_path(part, "clip_frames")).to_pylist():
            wanted[row["clip_id"], row["candidate"], row["segment"]] = (row["video_id"], row["pts"])
    there, model = pictures(frames), item.encoder.model
    rows = rows_of(item)
    assert {(row["clip_id"], row["draw"]) for row in rows} == {key[:2] for key in wanted}
    assert report.rows == len(rows) == 6 * 3
    for row in rows:
        clip = [there[wanted[row["clip_id"], row["draw"], segment]] for segment in segments]
        expected = model.embed_clips([[model.preprocess(picture) for picture in clip]])[0].astype(np.float16)
        np.testing.assert_array_equal(np.array(row["vector"], np.float16), expected)
    facts = read_footer(next(item.folder.glob("part-*"))).provenance
    assert (facts["stream"], facts["clip_frames"], facts["clip_segments"]) == ("clip", count, segments)
    assert not stage.plan(item).todo


@pytest.mark.parametrize(
    ("batch_size", "count", "calls"),
    [(8, 4, [2] * 9), (20, 4, [5, 5, 5, 3]), (2, 4, [1] * 18), (64, 4, [16, 2]), (128, 2, [18])],
)
def test_clips_go_through_the_network_in_full_batches_over_row_groups(embedded, world, batch_size, count, calls):
    made = []

    class Counted(world.FakeEncoder):
        def embed_clips(self, clips):
            made.append(len(clips))
            return super().embed_clips(clips)

    frames = frames_of(embedded)
    write_again(frames.folder, 7)
    identity = world.encoder("clips").identity
    identity.environment["batch_shape"] = [batch_size, 3, 8, 8]
    stage.run(EmbedClipsStage(frames, LazyEncoder(identity, Counted), workers=3, clip_frames=count))
    assert made == calls


def test_a_broken_frame_fails_its_own_draws_in_a_carried_batch(embedded, world):
    frames = frames_of(embedded)
    identity = world.encoder("clips").identity
    identity.environment["batch_shape"] = [20, 3, 8, 8]
    item = EmbedClipsStage(frames, LazyEncoder(identity, world.FakeEncoder), workers=2, clip_frames=4)
    stage.run(item)
    whole = {(row["clip_id"], row["draw"]): row["vector"] for row in rows_of(item)}
    (part,) = frames.folder.glob("part-*.parquet")
    wanted = read_rows(side_path(part, "clip_frames")).to_pylist()
    broken = wanted[len(wanted) // 2]["video_id"], wanted[len(wanted) // 2]["pts"]
    of_it = {(row["clip_id"], row["candidate"]) for row in wanted if (row["video_id"], row["pts"]) == broken}
    write_again(frames.folder, 7, {broken: b"no"})
    next(item.folder.glob("part-*.parquet")).unlink()
    report = stage.run(item, RunPolicy(max_failures=5))
    assert report.failures == {"decode_error": len(of_it)}
    failed = read_rows(side_path(next(item.folder.glob("part-*.parquet")), "failures")).to_pylist()
    assert sorted(row["clip_id"] for row in failed) == sorted(clip for clip, _ in of_it)
    there = {(row["clip_id"], row["draw"]): row["vector"] for row in rows_of(item)}
    assert there == {key: vector for key, vector in whole.items() if key not in of_it}


def test_another_number_of_frames_makes_the_stream_anew(embedded, world):
    stage.run(EmbedClipsStage(frames_of(embedded), world.encoder("clips"), clip_frames=4))
    other = EmbedClipsStage(frames_of(embedded), world.encoder("clips"), clip_frames=2)
    assert {item.why for item in stage.plan(other).todo} == {"clip_frames changed from 4 to 2 and 1 more"}
    assert other.command.endswith("--encoder clips --streams full --clip-frames 2")


def test_a_vector_that_does_not_fit_in_float16_is_a_failure_row(embedded, world):
    class Overflowing(world.FakeEncoder):
        def embed_clips(self, clips):
            vectors = super().embed_clips(clips)
            vectors[0] = 1e6
            return vectors

    item = EmbedClipsStage(
        frames_of(embedded, "val"), LazyEncoder(world.encoder("clips").identity, Overflowing), clip_frames=4
    )
    report = stage.run(item, RunPolicy(max_failures=5))
    assert (report.failures, report.rows) == ({"not_finite": 1}, 5)


def test_a_draw_that_lacks_a_frame_has_no_row_and_is_no_failure_of_this_stage(embedded, world):
    frames = frames_of(embedded)
    item = EmbedClipsStage(frames, world.encoder("clips"), clip_frames=4)
    (part,) = frames.folder.glob("part-*.parquet")
    wanted = read_rows(side_path(part, "clip_frames"))
    lost = wanted.column("clip_id")[0].as_py()
    kept = [row for row in wanted.to_pylist() if (row["clip_id"], row["segment"], row["candidate"]) != (lost, 2, 1)]
    pq.write_table(pa.Table.from_pylist(kept, wanted.schema), side_path(part, "clip_frames"))
    report = stage.run(item)
    assert (report.rows, report.failures) == (17, {})
    assert (lost, 1) not in {(row["clip_id"], row["draw"]) for row in rows_of(item)}


def test_draws_share_frames_and_come_with_their_last_one():
    draws = {"v": [Draw("a", 0, (1, 2, 2)), Draw("b", 0, (2, 4)), Draw("c", 0, (6, 7))], "w": [Draw("d", 0, (1,))]}
    tables = [
        pa.table({"video_id": list("uvvv"), "pts": [1, 1, 2, 3], "jpeg": [b"u1", b"v1", b"v2", b"v3"]}),
        pa.table({"video_id": list("vvvvw"), "pts": [4, 6, 7, 8, 1], "jpeg": [b"v4", b"v6", b"v7", b"v8", b"w1"]}),
    ]
    found = [(draw.clip_id, jpegs) for draw, jpegs in _with_frames(tables, draws)]
    assert found == [
        ("a", [b"v1", b"v2", b"v2"]),
        ("b", [b"v2", b"v4"]),
        ("c", [b"v6", b"v7"]),
        ("d", [b"w1"]),
    ]
