from __future__ import annotations

from pathlib import Path

import pytest

from data_manifests.errors import InputError
from pipelines.predict.segments import Segment, moment, read_segments


@pytest.mark.parametrize(
    ("cell", "seconds"), [("12.5", 12.5), ("1:02.5", 62.5), ("1:00:03", 3603.0), ("", None), (None, None), (7, 7.0)]
)
def test_a_time_is_seconds_or_a_clock(cell: object, seconds: float | None) -> None:
    assert moment(cell) == seconds


@pytest.mark.parametrize("cell", ["-1", "soon", "nan", "1:2:3:4", "-1:00"])
def test_what_is_no_time_is_refused(cell: str) -> None:
    with pytest.raises(ValueError, match="is no time; expected seconds or h:m:s"):
        moment(cell)


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
        ("video,start,stop\nb,2,1\n", "row 2: starts at 2.0 s and stops at 1.0 s"),
    ],
)
def test_what_can_not_be_meant_is_refused_with_its_row(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "clips.csv"
    file.write_text(content)
    several = "several" in message or "no video" in message
    with pytest.raises(InputError, match=message):
        read_segments(file, ["x/a.mp4", "y/a.mp4", "b.mp4"] if several else ["a.mp4", "b.mp4"])
