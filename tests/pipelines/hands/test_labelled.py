from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_manifests.errors import InputError
from pipelines.hands.labelled import labelled_frames, read_yolo_text

HEADER = "clip,frame,side,x0,y0,x1,y1,difficult\n"


def picture(path: Path, value: int = 50) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((20, 30, 3), value, np.uint8))
    return path


def test_frames_of_a_video_are_found_by_their_number(tmp_path: Path, make_video: Callable[..., int]) -> None:
    make_video(tmp_path / "a.mp4", seconds=1)
    table = tmp_path / "hands.csv"
    table.write_text(HEADER + "a.mp4,7,left,0.1,0.2,0.3,0.4,0\na.mp4,7,right,0.5,0.2,0.7,0.4,1\na.mp4,2,,,,,,\n")
    found = list(labelled_frames(tmp_path, table))
    assert [frame.name for frame in found] == ["a.mp4 frame 2", "a.mp4 frame 7"]
    assert found[0].truth.boxes.shape == (0, 4)
    assert found[1].truth.boxes.tolist() == [[0.1, 0.2, 0.3, 0.4], [0.5, 0.2, 0.7, 0.4]]
    assert found[1].truth.difficult.tolist() == [False, True]


def test_odd_bytes_in_the_metadata_of_a_video_do_not_matter(tmp_path: Path, make_video: Callable[..., int]) -> None:
    video, table = tmp_path / "a.mp4", tmp_path / "hands.csv"
    make_video(video, seconds=1)
    whole = video.read_bytes()
    assert b"Lavf" in whole
    video.write_bytes(whole.replace(b"Lavf", b"\xff\xfe\xc3\x28"))
    table.write_text(HEADER + "a.mp4,7,left,0.1,0.2,0.3,0.4,0\n")
    assert [frame.name for frame in labelled_frames(tmp_path, table)] == ["a.mp4 frame 7"]


def test_pictures_go_with_yolos_text_files(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "b" / "1.png")
    picture(tmp_path / "images" / "c.png", 90)
    (tmp_path / "labels" / "b").mkdir(parents=True)
    (tmp_path / "labels" / "b" / "1.txt").write_text("0 0.5 0.5 0.2 0.4\n\n")
    found = list(labelled_frames(tmp_path / "images", tmp_path / "labels"))
    assert [frame.name for frame in found] == ["b/1.png", "c.png"]
    assert found[0].truth.boxes.tolist() == [[pytest.approx(value) for value in (0.4, 0.3, 0.6, 0.7)]]
    assert found[1].truth.boxes.shape == (0, 4)
    assert found[1].rgb[0, 0].tolist() == [90, 90, 90]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("a.png,0,left,0.5,0.2,0.3,0.4,0\n", "row 2: expected a frame"),
        ("a.png,x,left,0.1,0.2,0.3,0.4,0\n", "row 2: frame or corners are no numbers"),
        ("a.png,0,left,10,20,30,40,0\n", "row 2: expected"),
        ("a.png,0,left,0.1,0.2,0.3,0.4,2\n", "difficult of 0 or 1"),
        ("a.png,3,left,0.1,0.2,0.3,0.4,0\n", r"a\.png: has no frame 3"),
        ("b.png,0,left,0.1,0.2,0.3,0.4,0\n", r"b\.png: no such video or picture"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path: Path, rows: str, says: str) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "hands.csv").write_text(HEADER + rows)
    with pytest.raises(InputError, match=says):
        list(labelled_frames(tmp_path, tmp_path / "hands.csv"))


def test_labels_that_are_missing_or_have_other_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such table"):
        list(labelled_frames(tmp_path, tmp_path / "none.csv"))
    (tmp_path / "hands.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="found the columns a, b; expected clip, frame"):
        list(labelled_frames(tmp_path, tmp_path / "hands.csv"))
    with pytest.raises(InputError, match="no pictures"):
        list(labelled_frames(tmp_path, tmp_path))
    picture(tmp_path / "images" / "a.png")
    (tmp_path / "labels").mkdir()
    with pytest.raises(InputError, match=r"no text file of a picture.*expected a\.txt"):
        list(labelled_frames(tmp_path / "images", tmp_path / "labels"))


@pytest.mark.parametrize("line", ["0 0.5 0.5 0.2", "0 0.5 0.5 20 40", "-1 0.5 0.5 0.2 0.2", "0.5 0.5 0.5 0.2 0.2"])
def test_a_wrong_line_of_a_text_file_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.txt").write_text(f"0 0.5 0.5 0.2 0.2\n{line}\n")
    with pytest.raises(InputError, match=r"a\.txt, line 2"):
        read_yolo_text(tmp_path / "a.txt")


@pytest.mark.parametrize("row", ["a.png;0,0;left;0,1;0,2;0,3;1,0001;0,0", "a.png;0;left;0.1;0.2;0.3;1.0001;0"])
def test_a_table_of_a_spreadsheet_is_read_and_rounded_corners_are_set_to_the_edge(tmp_path: Path, row: str) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "hands.csv").write_text(HEADER.replace(",", ";") + row + "\n")
    (found,) = labelled_frames(tmp_path, tmp_path / "hands.csv")
    assert found.truth.boxes.tolist() == [[0.1, 0.2, 0.3, 1.0]]


def test_a_table_with_a_column_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hands.csv").write_text(HEADER.replace("difficult", "x0") + "a.png,0,left,0.1,0.2,0.3,0.4,0.1\n")
    with pytest.raises(InputError, match="the column 'x0' appears 2 times"):
        list(labelled_frames(tmp_path, tmp_path / "hands.csv"))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_text_file_of_another_editor_is_read_and_rounding_is_no_error(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.txt").write_bytes("0 0.5 0.5 1.0000002 -1e-9\n".encode(encoding))
    assert read_yolo_text(tmp_path / "a.txt") == ([0], [[0.0, 0.5, 1.0, 0.5]])
    (tmp_path / "a.txt").write_bytes("0 0.5 0.5 0.2 0.2\n# é\n".encode("cp1252"))
    with pytest.raises(InputError, match=r"a\.txt: not a text file in UTF-8 \(line 2: byte 0xe9"):
        read_yolo_text(tmp_path / "a.txt")
