from __future__ import annotations

from pathlib import Path

import pytest

from data_manifests.errors import InputError
from pipelines.predict.segments import Segment, read_segments


def test_a_single_video_needs_no_column_and_an_empty_stop_is_the_end(tmp_path: Path) -> None:
    file = tmp_path / "clips.csv"
    file.write_text("start,stop,name,else\n,1.5,tea,x\n0:02,,,y\n")
    assert read_segments(file, ["a.mp4"]) == [Segment("a.mp4", 0.0, 1.5, "tea"), Segment("a.mp4", 2.0, None)]


def test_a_video_is_named_by_its_id_its_file_name_or_without_the_ending(tmp_path: Path) -> None:
    file = tmp_path / "clips.csv"
    file.write_text("video,start_s,stop_s\nx/a.mp4,0,1\na.mp4,0,1\nb,0,1\n/videos/b.mov,0,1\n")
    found = read_segments(file, ["x/a.mp4", "y/b.mov"])
    assert [segment.video_id for segment in found] == ["x/a.mp4", "x/a.mp4", "y/b.mov", "y/b.mov"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("video,start\na.mp4,1\n", "no column stop; found video, start. Expected start and stop"),
        ("start,stop\n0,1\n", "no column video; found start, stop"),
        ("video,start,stop\n", "no row in it"),
        ("video,start,stop\na.mp4,0,1\nc.mp4,0,1\n", "row 3: video 'c.mp4' is none of the videos; expected one of"),
        ("video,start,stop\n,0,1\n", "row 2: no video; expected one of x/a.mp4, y/a.mp4, b.mp4"),
        ("video,start,stop\na.mp4,0,1\n", "row 2: video 'a.mp4' is several of the videos"),
        ("video,start,stop\nb,2,1\n", "row 2: starts at 2 s and stops at 1 s"),
        ("video,start,stop\nb,0,soon\n", "row 2: stop 'soon' is not a time; expected seconds"),
        ("video,start,stop\nb,-1,1\n", "row 2: start '-1' is before the start of the video"),
        ("video,start,stop\nb,0,30f\n", "row 2: stop '30f' is a frame number, and the frame rate is not known"),
        ("video,start_frame,stop_frame\nb,0,1\n", "start_frame and stop_frame need the frame rate .*: --fps RATE"),
        ("video,start_frame,stop_frame\nb,x,1\n", "start_frame and stop_frame need the frame rate"),
    ],
)
def test_what_can_not_be_meant_is_refused_with_its_row(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "clips.csv"
    file.write_text(content)
    several = "several" in message or "no video" in message
    with pytest.raises(InputError, match=message):
        read_segments(file, ["x/a.mp4", "y/a.mp4", "b.mp4"] if several else ["a.mp4", "b.mp4"])


def test_times_may_be_frames_where_the_rate_is_known(tmp_path: Path) -> None:
    file = tmp_path / "clips.csv"
    file.write_text("start_frame,stop_frame\n30,59\n,\n")
    assert read_segments(file, ["a.mp4"], fps=30) == [Segment("a.mp4", 1.0, 2.0), Segment("a.mp4")]
    file.write_text("start,stop\n30f,0:02\n")
    assert read_segments(file, ["a.mp4"], fps=30) == [Segment("a.mp4", 1.0, 2.0)]
    file.write_text("start_frame,stop_frame\nx,1\n")
    with pytest.raises(InputError, match="row 2: start_frame 'x' is not a frame number"):
        read_segments(file, ["a.mp4"], fps=30)


def test_true_labels_are_read_where_they_are(tmp_path: Path) -> None:
    file = tmp_path / "clips.csv"
    file.write_text("start,stop,noun,verb\n0,1,cup,\n")
    assert read_segments(file, ["a.mp4"]) == [Segment("a.mp4", 0.0, 1.0, None, "cup", None)]
