"""Only the shards of files whose frames were chosen otherwise are made again."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_manifests.readers.table import TableReader
from pipelines.decode.plan import FramePlan
from pipelines.decode.read_anew import read_anew
from pipelines.decode.stage import DecodeStage
from pipelines.engine.digest import digest_json
from pipelines.engine.workspace import Workspace
from pipelines.prepare.stage import prepare

KEPT = ["h264.mp4", "h264_open.mkv", "h264_open.ts", "vp9.webm", "mjpeg.avi", "mpeg4.avi", "mpeg2.avi", "anim.gif"]
ANEW = ["h264.avi", "h264_plain.avi", "bare.h264", "bare.hevc"]


@pytest.mark.parametrize("kind", KEPT)
def test_files_with_times_of_display_are_read_as_before(video, kind: str) -> None:
    assert not read_anew(video(kind))


@pytest.mark.parametrize("kind", ANEW)
def test_files_without_them_are_read_anew(video, kind: str) -> None:
    assert read_anew(video(kind))


def test_packed_b_frames_are_read_anew(tmp_path: Path, video_maker) -> None:
    video_maker.make_video(tmp_path / "plain.avi", codec="mpeg4", b_frames=1, seconds=0.5)
    video_maker.pack_b_frames(tmp_path / "plain.avi", tmp_path / "packed.AVI")
    assert read_anew(tmp_path / "packed.AVI")


def test_the_inputs_of_other_files_are_those_of_earlier_versions(tmp_path: Path, video) -> None:
    videos, table = tmp_path / "v", tmp_path / "clips.csv"
    videos.mkdir()
    for kind in ("h264.mp4", "h264.avi"):
        (videos / kind).write_bytes(video(kind).read_bytes())
    table.write_text("video,start_s,stop_s,verb,noun\nh264.mp4,0,1,open,door\nh264.avi,0,1,open,door\n")
    workspace = Workspace.open(tmp_path / "work")
    prepare(workspace, "mine", TableReader([(table, "val")], roots=[videos]), [videos])
    units = DecodeStage(workspace, "mine", "val", FramePlan(segments=2)).units()
    inputs = {name: value for unit in units for name, value in unit.inputs.items() if name.startswith("file of ")}
    before = {
        f"file of {kind}": digest_json(
            [
                kind,
                "video",
                0.0,
                (videos / kind).stat().st_size,
                workspace.file_digests.head_and_tail(videos / kind),
            ]
        )
        for kind in ("h264.mp4", "h264.avi")
    }
    assert inputs["file of h264.mp4"] == before["file of h264.mp4"]
    assert inputs["file of h264.avi"] != before["file of h264.avi"]
