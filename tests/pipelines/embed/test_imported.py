from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data_manifests.errors import InputError, TooManyFailures, UsageError
from pipelines.chain.status import status
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import DecodeStage
from pipelines.embed.imported import ImportFeaturesStage, wanted_frames
from pipelines.embed.vector_files import VectorFile
from pipelines.engine import stage
from pipelines.engine.clips import read_clips
from pipelines.engine.progress import Silent
from pipelines.engine.shards import read_footer, read_rows
from pipelines.train.features import load_stream

DIM = 8


def frames_of(workspace, split="val"):
    return DecodeStage(workspace, "mine", split, FramePlan(4, 3 if split == "train" else 1, 0))


def source_of(rows, columns, vectors=None):
    """A file with a vector of its own in each row."""
    found = {name: np.array([row[name] for row in rows]) for name in columns}
    if vectors is None:
        vectors = np.random.default_rng(0).normal(size=(len(rows), DIM)).astype(np.float32)
    return VectorFile(Path("v.npz"), vectors, found, {})


def imported(workspace, source, split="val", sha256="0" * 64, **options):
    item = ImportFeaturesStage(frames_of(workspace, split), "mine", source, sha256, **options)
    stage.run(item)
    return item


def loaded(workspace, split="val", stream="full"):
    clips = read_clips(workspace, "mine", split).clip_ids
    return load_stream(workspace, frames_of(workspace, split), "imported-mine", stream, clips, Silent()), clips


def check_every_place(workspace, source, rows, split="val"):
    found, clips = loaded(workspace, split)
    for number, row in enumerate(rows):
        at = found.index[clips.index(row["clip_id"]), row["segment"], row["candidate"]]
        np.testing.assert_array_equal(found.matrix[at], source.vectors[number].astype(np.float16))


def test_vectors_by_clip_come_to_their_places(embedded):
    rows = list(wanted_frames(frames_of(embedded)))[::-1]
    source = source_of(rows, ["clip_id", "segment"])
    item = imported(embedded, source)
    check_every_place(embedded, source, rows)
    provenance = read_footer(next(item.folder.glob("part-*"))).provenance
    assert (provenance["provenance"], provenance["spec"]) == ("imported", "imported:mine")
    assert (provenance["normalised"], provenance["time_tolerance_s"]) == (False, None)


def test_the_command_line_names_the_split_the_encoder_and_what_is_not_a_default(embedded):
    rows = list(wanted_frames(frames_of(embedded)))
    item = ImportFeaturesStage(frames_of(embedded), "mine", source_of(rows, ["clip_id", "segment"]), "0")
    of_split = f"xmic import-features mine -w {embedded.root} --split val --name mine --vectors FILE"
    assert item.command == of_split
    timed = source_of([{**row, "whole_frame": False} for row in rows], ["video_id", "time_s", "whole_frame"])
    item = ImportFeaturesStage(frames_of(embedded), "mine", timed, "0", "hand", 0.5)
    assert item.command == f"{of_split} --stream hand --nearest-within 0.5"


def test_several_frames_a_segment_need_the_candidate(embedded):
    rows = list(wanted_frames(frames_of(embedded, "train")))
    with pytest.raises(InputError, match="mine train has 3 frames a segment; .* Add candidate, from 0"):
        imported(embedded, source_of(rows, ["clip_id", "segment"]), "train")
    vector_of = {(row["video_id"], row["time_s"]): number for number, row in enumerate(rows)}
    shared = np.random.default_rng(1).normal(size=(len(rows), DIM)).astype(np.float32)
    shared = shared[[vector_of[row["video_id"], row["time_s"]] for row in rows]]
    source = source_of(rows, ["clip_id", "segment", "candidate"], shared)
    imported(embedded, source, "train")
    check_every_place(embedded, source, rows, "train")


def test_vectors_by_time_come_to_their_frames(embedded):
    rows = list(wanted_frames(frames_of(embedded)))
    source = source_of(rows, ["video_id", "time_s"])
    item = imported(embedded, source)
    check_every_place(embedded, source, rows)
    assert read_footer(next(item.folder.glob("part-*"))).provenance["time_tolerance_s"] == 0.001


def shifted(workspace, seconds):
    rows = list(wanted_frames(frames_of(workspace)))
    return rows, source_of([{**row, "time_s": row["time_s"] + seconds} for row in rows], ["video_id", "time_s"])


def test_times_are_never_rounded_silently(embedded):
    imported(embedded, shifted(embedded, 0.0009)[1])
    with pytest.raises(InputError, match=r"v\.npz: row \d+, .* is the nearest to the frame at .* but 0\.002 s away"):
        imported(embedded, shifted(embedded, 0.002)[1], sha256="1" * 64)


@pytest.mark.parametrize("seconds", [-0.0009, 0.0009])
def test_a_frame_a_little_before_or_after_its_row_takes_it(embedded, seconds):
    rows, source = shifted(embedded, seconds)
    imported(embedded, source)
    check_every_place(embedded, source, rows)


def test_a_tolerance_that_is_asked_for_is_recorded(embedded):
    rows, source = shifted(embedded, 0.02)
    item = imported(embedded, source, nearest_within_s=0.03)
    check_every_place(embedded, source, rows)
    assert read_footer(next(item.folder.glob("part-*"))).provenance["time_tolerance_s"] == 0.03
    with pytest.raises(UsageError, match="--nearest-within 0.1: expected seconds, .* with video_id and time_s"):
        imported(embedded, source_of(rows, ["clip_id", "segment"]), nearest_within_s=0.1)


def test_frames_without_a_vector_are_failures_and_nothing_is_made_up(embedded):
    rows = list(wanted_frames(frames_of(embedded)))
    with pytest.raises(TooManyFailures, match="4 of 24 rows failed"):
        imported(
            embedded, source_of([row for row in rows if row["clip_id"] != rows[0]["clip_id"]], ["clip_id", "segment"])
        )
    found, clips = loaded(embedded)
    assert (found.index[clips.index(rows[0]["clip_id"])] == -1).all()
    failures = [
        row["reason"]
        for part in embedded.root.glob("embeddings/mine/val/*/imported-mine/full/failures/*.parquet")
        for row in read_rows(part).to_pylist()
    ]
    assert failures == ["not_imported"] * 4


def test_a_vector_that_does_not_fit_is_a_failure(embedded):
    rows = list(wanted_frames(frames_of(embedded)))
    source = source_of(rows, ["clip_id", "segment"])
    source.vectors[3, 0] = 1e6
    assert stage.run(ImportFeaturesStage(frames_of(embedded), "mine", source, "0")).failures == {"not_finite": 1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"segment": 9}, "row 1: segment 9, candidate 0; the plan .* has segments 0 to 3"),
        ({"segment": 0}, r"rows 0 and 1 are both of \("),
    ],
)
def test_a_key_that_is_none_or_comes_twice_is_named_by_its_row(embedded, change, message):
    rows = list(wanted_frames(frames_of(embedded)))
    rows = sorted(rows, key=lambda row: (row["clip_id"], row["segment"]))
    rows[1] = {**rows[1], **change}
    with pytest.raises(InputError, match=message):
        imported(embedded, source_of(rows, ["clip_id", "segment"]))


def test_two_rows_at_one_time_are_refused(embedded):
    rows = list(wanted_frames(frames_of(embedded)))
    with pytest.raises(InputError, match="rows 0 and 1 are both of"):
        imported(embedded, source_of([rows[0], *rows], ["video_id", "time_s"]))


def test_two_vectors_of_a_frame_that_clips_share_must_be_equal(embedded):
    # 24 instants of a video of 12 frames.
    frames = DecodeStage(embedded, "mine", "val", FramePlan(8, 3, 0))
    stage.run(frames)
    rows = list(wanted_frames(frames))
    columns = ["clip_id", "segment", "candidate"]
    with pytest.raises(InputError, match=r"rows \d+ and \d+ are of one frame, .* which two instants share"):
        stage.run(ImportFeaturesStage(frames, "mine", source_of(rows, columns), "0"))
    times = np.array([row["time_s"] for row in rows], np.float32)
    equal = np.repeat(times[:, None], DIM, axis=1)
    assert not stage.run(ImportFeaturesStage(frames, "mine", source_of(rows, columns, equal), "1")).failures


def test_a_hand_stream_says_which_vectors_are_of_full_frames(embedded):
    rows = [{**row, "whole_frame": number % 4 == 0} for number, row in enumerate(wanted_frames(frames_of(embedded)))]
    with pytest.raises(InputError, match="a hand stream needs whole_frame"):
        imported(embedded, source_of(rows, ["clip_id", "segment"]), stream="hand")
    imported(embedded, source_of(rows, ["clip_id", "segment", "whole_frame"]), stream="hand")
    assert loaded(embedded, stream="hand-imported")[0].whole_frame == pytest.approx(0.25)


def test_the_same_file_again_does_nothing_another_one_replaces_it_and_status_knows_it(embedded):
    rows = list(wanted_frames(frames_of(embedded)))
    source = source_of(rows, ["clip_id", "segment"])
    item = imported(embedded, source)
    assert stage.run(item).made == 0
    assert stage.run(ImportFeaturesStage(frames_of(embedded), "mine", source, "1")).made > 0
    (line,) = [line for line in status(embedded) if line.what == "imported-mine/full"]
    assert (line.stale, line.missing, line.next) == (0, 0, "")


def test_a_name_that_can_be_no_folder_is_refused(embedded):
    rows = list(wanted_frames(frames_of(embedded)))
    with pytest.raises(UsageError, match="--name a/b"):
        stage.run(ImportFeaturesStage(frames_of(embedded), "a/b", source_of(rows, ["clip_id", "segment"]), "0"))


def in_two_batches(rows, key, noise=1e-4):
    """A vector of each frame, computed again for each row that shares it: equal but for rounding."""
    random = np.random.default_rng(3)
    of: dict[tuple[object, ...], np.ndarray] = {}
    for row in rows:
        of.setdefault(key(row), 10 * random.normal(size=DIM).astype(np.float32))
    exact = np.stack([of[key(row)] for row in rows])
    return (exact * (1 + noise * random.normal(size=exact.shape))).astype(np.float32)


class Notes(Silent):
    def __init__(self):
        self.said = []

    def note(self, text):
        self.said.append(text)


@pytest.mark.parametrize("columns", [["clip_id", "segment", "candidate"], ["video_id", "time_s"]])
def test_vectors_of_one_frame_that_differ_as_two_batches_do_count_as_one_and_it_is_said_once(embedded, columns):
    frames = DecodeStage(embedded, "mine", "val", FramePlan(8, 3, 0))
    stage.run(frames)
    rows = list(wanted_frames(frames))[::-1]
    places = [(row["video_id"], row["time_s"]) for row in rows]
    again = len(rows) - len(set(places))
    assert again > 0
    source = source_of(rows, columns, in_two_batches(rows, lambda row: (row["video_id"], row["time_s"])))
    item, notes = ImportFeaturesStage(frames, "mine", source, "0"), Notes()
    assert not stage.run(item, progress=notes).failures
    assert notes.said == [
        f"v.npz: {again} rows are of a frame that an earlier row is of; their vectors agree (cosine > 0.999), and the "
        "first counts"
    ]
    stored = read_rows(next(item.folder.glob("part-*"))).to_pylist()
    times = {
        (row["video_id"], row["pts"]): row["time_s"]
        for part in frames.folder.glob("part-*")
        for row in read_rows(part, ["video_id", "pts", "time_s"]).to_pylist()
    }
    for row in stored:
        first = places.index((row["video_id"], times[row["video_id"], row["pts"]]))
        np.testing.assert_array_equal(np.array(row["vector"], np.float16), source.vectors[first].astype(np.float16))


def test_a_row_that_comes_twice_counts_once_but_not_with_another_vector_or_flag(embedded):
    rows = [{**row, "whole_frame": False} for row in wanted_frames(frames_of(embedded))]
    rows.append(dict(rows[0]))
    columns = ["clip_id", "segment", "whole_frame"]
    vectors = in_two_batches(rows, lambda row: (row["clip_id"], row["segment"]))
    imported(embedded, source_of(rows, columns, vectors), stream="hand")
    scaled = vectors.copy()
    scaled[-1] *= 2
    with pytest.raises(InputError, match=r"rows 0 and 24 are both of .*, but their vectors differ\. A frame has one"):
        imported(embedded, source_of(rows, columns, scaled), stream="hand", sha256="1")
    rows[-1]["whole_frame"] = True
    with pytest.raises(InputError, match="rows 0 and 24 are both of"):
        imported(embedded, source_of(rows, columns, vectors), stream="hand", sha256="2")
