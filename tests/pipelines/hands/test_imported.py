from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from data_manifests.errors import InputError, TooManyFailures
from data_manifests.readers.epic import EpicReader
from pipelines.decode.encode_jpeg import to_jpeg
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import DecodeStage
from pipelines.engine import stage
from pipelines.engine.progress import Silent
from pipelines.engine.shards import read_footer, read_rows, side_path
from pipelines.engine.stage import RunPolicy
from pipelines.engine.workspace import Workspace
from pipelines.hands.box_table import BoxTable
from pipelines.hands.epic_100doh import Epic100doh
from pipelines.hands.imported import ImportHandsStage
from pipelines.hands.stage import read_boxes
from pipelines.prepare.stage import prepare
from tests.data_manifests import epic_files
from tests.pipelines.hands.hoa_files import messages, write

SEGMENTS = 4


class Listening(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def jpeg_frames(tmp_path, video_maker) -> DecodeStage:
    """Frames of P90_01 (clip of frames 11 to 51) and P91_101 (21 to 61), decoded from JPEG folders, a shard each."""
    rows = []
    for video_id, start in (("P90_01", 11), ("P91_101", 21)):
        folder = tmp_path / "videos" / video_id.partition("_")[0] / "rgb_frames" / video_id
        folder.mkdir(parents=True)
        for number in range(1, 71):
            (folder / f"frame_{number:010d}.jpg").write_bytes(to_jpeg(video_maker.draw_frame(number, (64, 48)), 80))
        rows.append(epic_files.row(f"{video_id}_0", start_frame=str(start), stop_frame=str(start + 40)))
    workspace = Workspace.open(tmp_path / "work")
    reader = EpicReader(epic_files.write_epic(tmp_path / "csv", {"val": rows}))
    prepare(workspace, "epic", reader, [tmp_path / "videos"])
    workspace.datasets["epic"] = replace(workspace.datasets["epic"], groups=64)
    frames = DecodeStage(workspace, "epic", "val", FramePlan(SEGMENTS, 1, 0))
    stage.run(frames)
    return frames


def imported(frames: DecodeStage, source: Epic100doh | BoxTable) -> ImportHandsStage:
    return ImportHandsStage(frames, source.identity, source)


def boxes_of(hands: ImportHandsStage) -> dict:
    return {key: boxes for part in hands.folder.glob("part-*") for key, boxes in read_boxes(part).items()}


def failures_of(hands: ImportHandsStage) -> list[dict]:
    parts = sorted(hands.folder.glob("part-*"))
    return [row for part in parts for row in read_rows(side_path(part, "failures")).to_pylist()]


def test_each_frame_of_a_jpeg_source_has_the_boxes_of_its_number(jpeg_frames, tmp_path):
    for video_id in ("P90_01", "P91_101"):
        write(tmp_path / "boxes" / f"{video_id}.pkl", messages(video_id, 70))
    hands, progress = imported(jpeg_frames, Epic100doh(tmp_path / "boxes")), Listening()
    report = stage.run(hands, progress=progress)
    assert (report.rows, report.failures) == (8, {})
    found = boxes_of(hands)
    assert {pts for _, pts in found} == {16, 26, 36, 46, 56}
    assert all(box.x1 == pytest.approx(pts / 1000) for (_, pts), (box,) in found.items())
    assert found[("P90_01", 16)][0].offset_x == 0.0
    assert hands.folder.name == "epic-100doh"
    assert progress.notes == [
        "epic-100doh: has 8 of 8 frames of epic val; other frames of the videos it has count as frames without a hand"
    ]


def test_a_video_without_a_file_or_with_a_broken_one_fails_alone_and_is_said(jpeg_frames, tmp_path):
    write(tmp_path / "boxes" / "P91_101.pkl", messages("P91_101", 70))
    hands, progress = imported(jpeg_frames, Epic100doh(tmp_path / "boxes")), Listening()
    report = stage.run(hands, RunPolicy(max_failures=0.6), progress)
    assert (report.rows, report.failures) == (4, {"no_boxes": 4})
    assert [(row["video_id"], row["rows"]) for row in failures_of(hands)] == [("P90_01", 4)]
    assert sum("P90_01: no_boxes: " in note for note in progress.notes) == 1
    (tmp_path / "boxes" / "P90_01.pkl").write_bytes(b"junk")
    report = stage.run(imported(jpeg_frames, Epic100doh(tmp_path / "boxes")), RunPolicy(max_failures=0.6))
    assert (report.rows, report.failures) == (4, {"bad_boxes": 4})


def test_a_broken_message_is_a_failure_row_of_its_frame(jpeg_frames, tmp_path):
    entries = {video_id: messages(video_id, 70) for video_id in ("P90_01", "P91_101")}
    entries["P90_01"][16 - 1] = b"\x0b"
    for video_id, each in entries.items():
        write(tmp_path / "boxes" / f"{video_id}.pkl", each)
    hands = imported(jpeg_frames, Epic100doh(tmp_path / "boxes"))
    report = stage.run(hands, RunPolicy(max_failures=1))
    assert (report.rows, report.failures) == (7, {"bad_boxes": 1})
    assert [(row["video_id"], row["pts"]) for row in failures_of(hands)] == [("P90_01", 16)]


def test_without_any_box_the_stage_fails(jpeg_frames, tmp_path):
    (tmp_path / "boxes").mkdir()
    with pytest.raises(TooManyFailures, match="8 of 8 rows failed .8 no_boxes"):
        stage.run(imported(jpeg_frames, Epic100doh(tmp_path / "boxes")), RunPolicy(max_failures=0.5))


def test_boxes_at_60_frames_a_second_of_a_video_of_50_are_refused_by_its_length(jpeg_frames, tmp_path):
    for video_id, count in (("P90_01", 70), ("P91_101", 84)):
        write(tmp_path / "boxes" / f"{video_id}.pkl", messages(video_id, count))
    hands = imported(jpeg_frames, Epic100doh(tmp_path / "boxes"))
    assert stage.run(hands, RunPolicy(max_failures=0.6)).failures == {"wrong_frame_rate": 4}
    assert "84 frames of a video of 1.4 s are 60.0 a second" in failures_of(hands)[0]["error"]


def test_a_changed_file_redoes_the_shard_that_read_it_and_no_other(jpeg_frames, tmp_path):
    for video_id in ("P90_01", "P91_101"):
        write(tmp_path / "boxes" / f"{video_id}.pkl", messages(video_id, 70))
    source = Epic100doh(tmp_path / "boxes")
    hands = imported(jpeg_frames, source)
    assert stage.run(hands).made == 2
    write(tmp_path / "boxes" / "P90_01.pkl", messages("P90_01", 71))
    todo = stage.plan(hands).todo
    assert [item.why for item in todo] == ["input boxes of P90_01 changed"]
    (tmp_path / "boxes" / "P90_01.pkl").unlink()
    fresh = imported(jpeg_frames, Epic100doh(tmp_path / "boxes"))
    assert [unit.inputs["boxes of P90_01"] for unit in fresh.units() if "boxes of P90_01" in unit.inputs] == ["missing"]


def test_a_moved_folder_of_boxes_changes_nothing(jpeg_frames, tmp_path):
    for video_id in ("P90_01", "P91_101"):
        write(tmp_path / "boxes" / f"{video_id}.pkl", messages(video_id, 70))
    stage.run(imported(jpeg_frames, Epic100doh(tmp_path / "boxes")))
    moved = (tmp_path / "boxes").rename(tmp_path / "elsewhere")
    hands = imported(jpeg_frames, Epic100doh(moved))
    assert stage.run(hands).made == 0
    footer = read_footer(next(hands.folder.glob("part-*")))
    assert str(tmp_path) not in str(footer)


def test_frames_of_video_files_are_looked_up_by_time(embedded, tmp_path):
    frames = DecodeStage(embedded, "mine", "val", FramePlan(SEGMENTS, 1, 0))
    rows = [f"val{video}.mp4,{at},0.25,0.25,0.75,0.75,0.9" for video in range(6) for at in (0.125, 0.875)]
    (tmp_path / "b.csv").write_text("\n".join(["video,time_s,x0,y0,x1,y1,score", *rows]))
    hands, progress = imported(frames, BoxTable(tmp_path / "b.csv", 0.1)), Listening()
    report = stage.run(hands, progress=progress)
    assert (report.rows, report.failures) == (24, {})
    assert sorted(len(boxes) for boxes in boxes_of(hands).values()) == [0] * 12 + [1] * 12
    assert progress.notes[0].startswith("boxes-b: has 12 of 24 frames of mine val; ")


def test_a_table_that_does_not_fit_the_frames_ends_the_stage(embedded, tmp_path):
    frames = DecodeStage(embedded, "mine", "val", FramePlan(SEGMENTS, 1, 0))
    (tmp_path / "b.csv").write_text("video,frame,x0,y0,x1,y1,score\nval0.mp4,1,0,0,1,1,0.9\n")
    with pytest.raises(InputError, match="decoded from a video file; give time_s"):
        stage.run(imported(frames, BoxTable(tmp_path / "b.csv")))


def _times(file: Path, factors: list[int]) -> BoxTable:
    rows = [
        f"val{video}.mp4,{at * factor},0,0,1,1,0.9" for video, factor in enumerate(factors) for at in (0.125, 0.875)
    ]
    file.write_text("\n".join(["video,time_s,x0,y0,x1,y1,score", *rows]))
    return BoxTable(file, 0.1)


def test_times_in_milliseconds_end_the_stage_with_the_first_row(embedded, tmp_path):
    frames = DecodeStage(embedded, "mine", "val", FramePlan(SEGMENTS, 1, 0))
    source = _times(tmp_path / "b.csv", [1000] * 6)
    message = (
        r"boxes-b: has 0 of 24 frames of mine val\. .*b\.csv, row \d+: time_s 125 of 'val\d\.mp4'; expected seconds"
    )
    with pytest.raises(InputError, match=message):
        stage.run(imported(frames, source), RunPolicy(max_failures=1.0))
    with pytest.raises(TooManyFailures, match="24 no_boxes"):
        stage.run(imported(frames, source), RunPolicy(max_failures=1.0))
    assert stage.run(imported(frames, _times(tmp_path / "b.csv", [1] * 6))).rows == 24, "a mended table is read anew"


def test_one_video_in_milliseconds_fails_alone(embedded, tmp_path):
    frames = DecodeStage(embedded, "mine", "val", FramePlan(SEGMENTS, 1, 0))
    hands = imported(frames, _times(tmp_path / "b.csv", [1, 1, 1000, 1, 1, 1]))
    report = stage.run(hands, RunPolicy(max_failures=0.5))
    assert (report.rows, report.failures) == (20, {"no_boxes": 4})
    assert [row["video_id"] for row in failures_of(hands)] == ["val2.mp4"]


def test_the_annotated_length_counts_before_that_of_the_file(tmp_path: Path, jpeg_frames):
    info = tmp_path / "csv" / "EPIC_100_video_info.csv"
    info.write_text("video_id,duration,fps,resolution\nP90_01,1.1,59.94,64x48\nP91_101,1.68,50,64x48\n")
    prepare(jpeg_frames.workspace, "epic", EpicReader(tmp_path / "csv"), [tmp_path / "videos"])
    for video_id, count in (("P90_01", 70), ("P91_101", 84)):
        write(tmp_path / "boxes" / f"{video_id}.pkl", messages(video_id, count))
    assert stage.run(imported(jpeg_frames, Epic100doh(tmp_path / "boxes"))).failures == {}
