from __future__ import annotations

import importlib
import shutil
import socket
import sys
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_manifests.errors import MissingUpstream, TooManyFailures
from data_manifests.readers.epic import EpicReader
from data_manifests.readers.table import TableReader
from pipelines.decode.encode_jpeg import from_jpeg, to_jpeg
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import Decoded, DecodeStage, decoded_shards, default_plan, plan_of
from pipelines.decode.worker import reason_of
from pipelines.engine import stage
from pipelines.engine.shards import read_footer, read_rows, side_path
from pipelines.engine.stage import RunPolicy
from pipelines.engine.workers import WorkerBug, run_killable
from pipelines.engine.workspace import Workspace
from pipelines.prepare.stage import prepare
from tests.data_manifests import epic_files
from tests.ended_process import ended_process

PLAN = FramePlan(segments=4, candidates=1, short_side=0)


def prepared(tmp_path: Path, rows: list[str], videos: Path) -> Workspace:
    table = tmp_path / "clips.csv"
    table.write_text("\n".join(["video,start_s,stop_s,verb,noun", *rows]) + "\n")
    workspace = Workspace.open(tmp_path / "work")
    prepare(workspace, "mine", TableReader([(table, "val")], roots=[videos]), [videos])
    return workspace


@pytest.fixture
def videos(tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    return folder


@pytest.fixture
def worker_module(monkeypatch):
    """``worker_module(name)``: a module of this folder, importable by the processes that are spawned."""
    folder = str(Path(__file__).parent)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", folder)
    taken = []

    def take(name: str) -> ModuleType:
        taken.append(name)
        return importlib.import_module(name)

    yield take
    for name in taken:
        sys.modules.pop(name, None)


@pytest.fixture
def crashing(worker_module):
    """The worker that dies on some videos."""
    return worker_module("crashing_worker").decode_or_die


@pytest.fixture
def mistaken(worker_module):
    """The worker that calls a library wrongly on some videos."""
    return worker_module("mistaken_worker").decode_wrongly


@pytest.fixture
def damaging(worker_module):
    """The worker that damages videos at random."""
    return worker_module("damaging_worker").damage_and_decode


@pytest.fixture
def counting(worker_module, tmp_path, monkeypatch):
    """The worker that counts, and video → (heartbeats, whether the index was kept for others), when asked."""
    folder = tmp_path / "heartbeats"
    folder.mkdir()
    monkeypatch.setenv("HEARTBEATS", str(folder))
    function = worker_module("counting_worker").decode_and_count
    return function, lambda: {path.name: tuple(map(int, path.read_text().split())) for path in folder.iterdir()}


def failures(decode: DecodeStage) -> list[dict]:
    return [
        row
        for part in sorted(decode.folder.glob("part-*"))
        for row in read_rows(side_path(part, "failures")).to_pylist()
    ]


def test_frames_are_those_at_the_centres_of_the_segments(tmp_path, videos, video_maker):
    video_maker.make_video(videos / "a.mp4", fps=30, seconds=2)
    workspace = prepared(tmp_path, ["a.mp4,0,2,cut,bread", "a.mp4,1,2,cut,bread"], videos)
    decode = DecodeStage(workspace, "mine", "val", PLAN)
    report = stage.run(decode)
    assert (report.made, report.failures) == (1, {})
    part = next(decode.folder.glob("part-*.parquet"))
    frames = {row["pts"]: row for row in read_rows(part).to_pylist()}
    taken = read_rows(side_path(part, "clip_frames")).to_pylist()
    by_clip: dict[str, list[int]] = {}
    for row in taken:
        by_clip.setdefault(row["clip_id"], []).append(video_maker.read_number(from_jpeg(frames[row["pts"]]["jpeg"])))
    # Centres at 0.25, 0.75, 1.25, 1.75 s (30 fps; 7.5 is a tie, which the earlier frame wins) and at 1.125 … s.
    assert by_clip["a.mp4@0.000-2.000"] == [7, 22, 37, 52]
    assert by_clip["a.mp4@1.000-2.000"] == [34, 41, 49, 56]
    assert frames[taken[0]["pts"]]["time_s"] == pytest.approx(7 / 30)


def test_planning_reads_what_is_remembered_of_the_videos_once_however_many_there_are(tmp_path, videos, monkeypatch):
    names = [f"{number}.mp4" for number in range(20)]
    for name in names:
        (videos / name).write_text(name)
    workspace = prepared(tmp_path, [f"{name},0,1,cut,bread" for name in names], videos)
    first = DecodeStage(workspace, "mine", "val", PLAN).units()
    read_text, read = Path.read_text, []

    def counted(path: Path, *args, **kwargs):
        read.append(path.name)
        return read_text(path, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", counted)
    again = DecodeStage(Workspace.open(workspace.root), "mine", "val", PLAN).units()
    assert [unit.inputs for unit in again] == [unit.inputs for unit in first]
    assert read.count("file-digests.jsonl") == 1


def test_overlapping_clips_share_frames(tmp_path, videos, video_maker):
    video_maker.make_video(videos / "a.mp4")
    workspace = prepared(tmp_path, ["a.mp4,0,2,cut,bread", "a.mp4,0,2,stir,pan"], videos)
    report = stage.run(DecodeStage(workspace, "mine", "val", PLAN))
    assert (report.attempted, report.rows) == (8, 4)


def test_an_open_end_is_the_end_of_the_file(tmp_path, videos, video_maker):
    video_maker.make_video(videos / "a.mp4", fps=30, seconds=2)
    workspace = prepared(tmp_path, ["a.mp4,,,cut,bread", "a.mp4,0,2,cut,bread"], videos)
    decode = DecodeStage(workspace, "mine", "val", PLAN)
    assert stage.run(decode).rows == 4


def test_a_crash_and_a_hang_are_failure_rows_and_the_others_go_on(tmp_path, videos, video_maker, crashing):
    for name in ("crash.mp4", "hang.mp4", "good.mp4"):
        video_maker.make_video(videos / name, seconds=1)
    rows = [f"{name},0,1,cut,bread" for name in ("crash.mp4", "hang.mp4", "good.mp4")]
    workspace = prepared(tmp_path, rows, videos)
    decode = DecodeStage(workspace, "mine", "val", PLAN, workers=2, timeout_s=4, function=crashing)
    report = stage.run(decode, RunPolicy(max_failures=100))
    assert report.failures == {"worker_killed": 4, "timeout": 4}
    assert report.rows == 4
    assert {row["video_id"]: row["reason"] for row in failures(decode)} == {
        "crash.mp4": "worker_killed",
        "hang.mp4": "timeout",
    }
    assert "SIGSEGV" in next(row["error"] for row in failures(decode) if row["reason"] == "worker_killed")
    # Both may pass, so the next run tries again: here with a decoder that does not die.
    again = stage.run(DecodeStage(workspace, "mine", "val", PLAN))
    assert (again.made, again.failures, again.rows) == (1, {}, 12)


def test_a_mistake_of_ours_is_no_failure_row_and_loses_no_shard_that_was_made(tmp_path, videos, video_maker, mistaken):
    (videos / "a_damaged.mp4").write_text("not a video")
    video_maker.make_video(videos / "bug.mp4", seconds=1)
    # Each a shard of its own, the damaged one first.
    plan = FramePlan(segments=300, candidates=2, short_side=0)
    rows = [f"{name}.mp4,0,1,cut,bread" for name in ("a_damaged", "bug")]
    workspace = prepared(tmp_path, rows, videos)
    with pytest.raises(WorkerBug) as caught:
        stage.run(DecodeStage(workspace, "mine", "val", plan, function=mistaken), RunPolicy(max_failures=10_000))
    text = str(caught.value)
    assert "'bug.mp4')" in text
    assert "in decode_wrongly\n    av.open(task.path, no_such_argument=True)" in text
    assert text.splitlines()[-1].startswith("TypeError: ")
    decode = DecodeStage(workspace, "mine", "val", plan)
    assert {row["video_id"]: row["reason"] for row in failures(decode)} == {"a_damaged.mp4": "not_a_video"}
    (left,) = stage.plan(decode).todo
    assert [task.video_id for task in left.unit.payload] == ["bug.mp4"]
    assert list((workspace.root / "tmp").iterdir()) == []


def test_a_video_damaged_at_random_is_never_taken_for_a_mistake_of_ours(tmp_path, videos, video_maker, damaging):
    kinds = {"a.mp4": {}, "b.mkv": {"open_gop": True}, "c.ts": {}, "d.avi": {"codec": "mpeg4", "b_frames": 0}}
    for name, options in kinds.items():
        video_maker.make_video(videos / name, seconds=1.2, size=(96, 64), **options)
    tasks = [((name, seed), (str(videos / name), str(tmp_path), seed)) for name in kinds for seed in range(40)]
    outcomes = list(run_killable(damaging, tasks, workers=1, timeout_s=30, reason_of=reason_of))
    assert len(outcomes) == len(tasks)
    seen = {outcome.reason for outcome in outcomes}
    assert {None, "not_a_video", "decode_error"} <= seen
    assert any(outcome.value for outcome in outcomes)


def test_bad_videos_are_failure_rows_with_their_reason(tmp_path, videos, video_maker):
    video_maker.make_video(videos / "good.mp4", seconds=1)
    (videos / "empty.mp4").write_bytes(b"")
    (videos / "text.mp4").write_text("not a video")
    rows = [f"{name}.mp4,0,1,cut,bread" for name in ("good", "empty", "text", "missing")]
    workspace = prepared(tmp_path, rows, videos)
    decode = DecodeStage(workspace, "mine", "val", PLAN)
    report = stage.run(decode, RunPolicy(max_failures=100))
    assert report.failures == {"empty_file": 4, "missing_video": 4, "not_a_video": 4}
    assert stage.run(decode, RunPolicy(max_failures=100)).made == 0, "permanent failures are not tried again"
    with pytest.raises(TooManyFailures, match=r"decode: 8 of 12 rows failed .* --max-failures allows 5 %"):
        stage.run(decode)


def test_a_clip_past_the_end_fails_alone_and_says_where_the_video_ends(tmp_path, videos, video_maker):
    video_maker.make_video(videos / "a.mp4", fps=30, seconds=1)
    workspace = prepared(tmp_path, ["a.mp4,0,1,cut,bread", "a.mp4,5,6,cut,bread", "a.mp4,0,2,cut,bread"], videos)
    decode = DecodeStage(workspace, "mine", "val", PLAN)
    report = stage.run(decode, RunPolicy(max_failures=100))
    assert report.failures == {"past_end": 6}
    errors = {row["clip_id"]: row["error"] for row in failures(decode)}
    assert (
        "4 of 4 instants, the first at 5.125 s, are past the end of the video at 1.000 s" in errors["a.mp4@5.000-6.000"]
    )
    assert "2 of 4 instants, the first at 1.250 s" in errors["a.mp4@0.000-2.000"]


def test_only_the_changed_video_is_decoded_again_and_the_reason_is_said(tmp_path, videos, video_maker):
    rows = []
    for index in range(12):
        video_maker.make_video(videos / f"v{index}.mp4", seconds=1)
        rows.append(f"v{index}.mp4,0,1,cut,bread")
    workspace = prepared(tmp_path, rows, videos)
    # As after a first prepare of a large dataset: many buckets.
    workspace.datasets["mine"] = type(workspace.datasets["mine"])("table", (str(videos),), 64)
    decode = DecodeStage(workspace, "mine", "val", PLAN)
    made = stage.run(decode).made
    assert made > 6
    video_maker.make_video(videos / "v3.mp4", seconds=2)
    todo = stage.plan(decode).todo
    assert [item.why for item in todo] == ["input file of v3.mp4 changed"]
    assert stage.run(decode).made == 1


def test_bytes_do_not_depend_on_the_number_of_workers(tmp_path, videos, video_maker):
    rows = []
    for index in range(3):
        video_maker.make_video(videos / f"v{index}.mp4", seconds=1)
        rows.append(f"v{index}.mp4,0,1,cut,bread")
    workspace = prepared(tmp_path, rows, videos)
    contents = []
    for workers in (1, 3):
        decode = DecodeStage(workspace, "mine", "val", PLAN, workers=workers)
        shutil.rmtree(decode.folder, ignore_errors=True)
        stage.run(decode)
        contents.append(
            {p.relative_to(decode.folder): p.read_bytes() for p in sorted(decode.folder.rglob("*.parquet"))}
        )
    assert contents[0] == contents[1]
    assert not list((workspace.root / "tmp").iterdir()), "the scratch folder is removed"


def test_training_has_three_candidates_and_evaluation_the_centre():
    assert (default_plan("train").candidates, default_plan("val").candidates) == (3, 1)
    assert default_plan("train").centre_candidate == 1


def test_memory_is_given_back_as_the_frames_of_a_long_video_are_read(monkeypatch):
    given_back = []
    monkeypatch.setattr("pipelines.decode.stage.iter_rows", lambda path: iter(range(20)))
    monkeypatch.setattr("pipelines.decode.stage.release_memory", lambda: given_back.append(len(read)))
    read = []
    for rows in Decoded("v0", Path("part-v0.parquet"), None, []).rows():
        read.append(rows)
    assert read == list(range(20))
    assert given_back == [8, 16]


def test_those_who_read_frames_need_no_video_but_the_clips_that_were_decoded(tmp_path, videos, video_maker):
    video_maker.make_video(videos / "a.mp4", seconds=2)
    workspace = prepared(tmp_path, ["a.mp4,0,1,cut,bread"], videos)
    decode = DecodeStage(workspace, "mine", "val", PLAN)
    with pytest.raises(MissingUpstream, match=r"no frames\. Run xmic decode mine --split val"):
        decoded_shards(decode)
    stage.run(decode)
    shutil.rmtree(videos)
    assert len(decoded_shards(decode)[0]) == 1
    prepared(tmp_path, ["a.mp4,0,2,cut,bread"], tmp_path)
    with pytest.raises(MissingUpstream, match=r"its clips changed since it was decoded\. Run xmic decode mine"):
        decoded_shards(decode)


def test_what_a_killed_run_left_is_removed_also_where_nothing_is_to_do(tmp_path, videos, video_maker):
    video_maker.make_video(videos / "a.mp4", seconds=2)
    workspace = prepared(tmp_path, ["a.mp4,0,1,cut,bread"], videos)
    stage.run(DecodeStage(workspace, "mine", "val", PLAN))
    for name in (f"{socket.gethostname()}-{ended_process()}", "elsewhere-1"):
        (workspace.scratch / f"decode-{name}" / "b0000").mkdir(parents=True)
    assert stage.run(DecodeStage(workspace, "mine", "val", PLAN)).made == 0
    assert [path.name for path in workspace.scratch.iterdir()] == ["decode-elsewhere-1"]


def test_frames_of_which_nothing_can_be_read_are_named(tmp_path, videos, video_maker):
    video_maker.make_video(videos / "a.mp4", seconds=1)
    workspace = prepared(tmp_path, ["a.mp4,0,1,cut,bread"], videos)
    decode = DecodeStage(workspace, "mine", "val", PLAN)
    stage.run(decode)
    (shard,) = decode.folder.glob("part-*.parquet")
    shard.write_bytes(shard.read_bytes()[:-9])
    with pytest.raises(MissingUpstream, match=rf"{shard} is damaged, and no other frames are there. Run xmic decode"):
        plan_of(workspace, "mine", "val", None)


def test_a_later_stage_finds_the_only_plan_and_asks_when_there_are_several(tmp_path, videos, video_maker):
    video_maker.make_video(videos / "a.mp4", seconds=1)
    workspace = prepared(tmp_path, ["a.mp4,0,1,cut,bread"], videos)
    with pytest.raises(MissingUpstream, match="no frames"):
        plan_of(workspace, "mine", "val", None)
    stage.run(DecodeStage(workspace, "mine", "val", PLAN))
    assert plan_of(workspace, "mine", "val", None) == PLAN
    stage.run(DecodeStage(workspace, "mine", "val", FramePlan(segments=8)))
    with pytest.raises(Exception, match=r"several frame plans \(seg4-k1-native-q95, seg8-k1-256px-q95\)"):
        plan_of(workspace, "mine", "val", None)
    assert plan_of(workspace, "mine", "val", PLAN.slug) == PLAN
    with pytest.raises(MissingUpstream, match="no frame plan other"):
        plan_of(workspace, "mine", "val", "other")


def test_the_footer_says_what_made_the_frames(tmp_path, videos, video_maker):
    video_maker.make_video(videos / "a.mp4", seconds=1)
    workspace = prepared(tmp_path, ["a.mp4,0,1,cut,bread"], videos)
    decode = DecodeStage(workspace, "mine", "val", PLAN)
    stage.run(decode)
    footer = read_footer(next(decode.folder.glob("part-*")))
    assert footer.params["plan"] == {"segments": 4, "candidates": 1, "short_side": 0, "quality": 95}
    assert "av" in footer.environment
    assert not any(str(tmp_path) in str(value) for value in vars(footer).values()), "no absolute path in a shard"


def test_jpegs_by_number_and_chunks_are_decoded_like_any_video(tmp_path, videos, video_maker):
    frames = videos / "P90" / "rgb_frames" / "P90_01"
    frames.mkdir(parents=True)
    for number in range(1, 121):
        picture = to_jpeg(video_maker.draw_frame(number, (128, 96)), 90)
        (frames / f"frame_{number:010d}.jpg").write_bytes(picture)
    chunked = videos / "P90" / "videos" / "P90_02.MP4"
    chunked.mkdir(parents=True)
    for start in (0, 1):
        video_maker.make_video(chunked / f"{start}.MP4", fps=30, seconds=1)
    clips = [
        epic_files.row(
            "P90_01_0", start_timestamp="00:00:00.00", stop_timestamp="00:00:02.00", start_frame="1", stop_frame="101"
        ),
        epic_files.row("P90_02_0", start_timestamp="00:00:00.00", stop_timestamp="00:00:02.00"),
    ]
    workspace = Workspace.open(tmp_path / "work")
    prepare(workspace, "epic", EpicReader(epic_files.write_epic(tmp_path / "csv", {"val": clips})), [videos])
    decode = DecodeStage(workspace, "epic", "val", PLAN)
    report = stage.run(decode)
    assert report.failures == {}
    (part,) = decode.folder.glob("part-*.parquet")
    rows = read_rows(part).to_pylist()
    shown = [(row["video_id"], video_maker.read_number(from_jpeg(row["jpeg"]))) for row in rows]
    assert shown == [("P90_01", n) for n in (13, 38, 63, 88)] + [("P90_02", n) for n in (7, 22, 7, 22)]
    facts = {fact["video_id"]: fact for fact in read_rows(side_path(part, "videos")).to_pylist()}
    assert (facts["P90_01"]["read_mode"], facts["P90_02"]["read_mode"]) == ("frames", "gop")

    assert stage.run(decode).made == 0
    (frames / "frame_0000000121.jpg").write_bytes(picture)
    (item,) = stage.plan(decode).todo
    assert item.why == "input file of P90_01 changed"


def test_videos_that_lie_in_one_file_read_through_it_once_and_get_the_frames_they_would_get_alone(
    tmp_path, videos, video_maker, counting
):
    function, counted = counting
    names = ("a.mp4", "b.mp4", "c.mp4", "z.mp4")
    for name in names:
        video_maker.make_video(videos / name, seconds=20)
    workspace = prepared(tmp_path, [f"{name},0,2,cut,bread" for name in names], videos)
    file = workspace.manifest("mine", "val") / "videos.parquet"
    rows = read_rows(file).to_pylist()
    for row, offset_s in zip(rows, (4.0, 8.0, 12.0), strict=False):
        row["offset_s"] = offset_s
    written = read_rows(file).schema

    def decoded() -> list[list[dict]]:
        pq.write_table(pa.Table.from_pylist(rows, schema=written), file)
        decode = DecodeStage(workspace, "mine", "val", PLAN, function=function)
        assert stage.run(decode).failures == {}
        (part,) = decode.folder.glob("part-*.parquet")
        return [
            read_rows(path).to_pylist() for path in (part, side_path(part, "clip_frames"), side_path(part, "videos"))
        ]

    apart, each = decoded(), counted()
    assert all(beats > 600 and not kept for beats, kept in each.values())
    for row in rows[:3]:
        row["path"] = "a.mp4"
    assert decoded() == apart
    together = counted()
    assert together.pop("z.mp4") == each["z.mp4"], "no other video lies in its file"
    assert sorted((beats > 600, kept) for beats, kept in together.values()) == [(False, 1), (False, 1), (True, 1)]
    assert list((workspace.root / "tmp").iterdir()) == []


def test_a_clip_of_a_full_length_video_becomes_stale_when_it_begins_elsewhere(tmp_path, videos, video_maker):
    video_maker.make_video(videos / "a.mp4")
    workspace = prepared(tmp_path, ["a.mp4,0,1,cut,bread"], videos)
    decode = DecodeStage(workspace, "mine", "val", PLAN)
    stage.run(decode)
    file = workspace.manifest("mine", "val") / "videos.parquet"
    table = read_rows(file)
    moved = table.set_column(table.schema.get_field_index("offset_s"), "offset_s", pa.array([0.5]))
    pq.write_table(moved, file)
    (item,) = stage.plan(decode).todo
    assert item.why == "input file of a.mp4 changed"
    stage.run(decode)
    (part,) = decode.folder.glob("part-*.parquet")
    numbers = [video_maker.read_number(from_jpeg(row["jpeg"])) for row in read_rows(part).to_pylist()]
    assert numbers == [19, 26, 34, 41]
