from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_manifests.errors import InputError
from pipelines.hands.box_rows import read_box_rows

HEADER = "video,time_s,x0,y0,x1,y1,score,side,kind,contact"


def csv(tmp_path: Path, *rows: str, header: str = HEADER) -> Path:
    file = tmp_path / "boxes.csv"
    file.write_text("\n".join([header, *rows]) + "\n")
    return file


def corners(rows: pa.Table) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in ("x0", "y0", "x1", "y1")) for row in rows.to_pylist()]


def test_a_csv_and_a_parquet_of_the_same_rows_are_read_alike(tmp_path: Path) -> None:
    file = csv(tmp_path, "a.mp4,0.5,0.1,0.2,0.3,0.4,0.9,left,,true", "a.mp4,1,0.1,0.2,0.3,0.4,0.8,,object,")
    table = pa.table(
        {
            "video": pa.array(["a.mp4", "a.mp4"]).dictionary_encode(),
            "time_s": pa.array([0.5, 1.0], pa.float32()),
            **{name: [value] * 2 for name, value in zip(("x0", "y0", "x1", "y1"), (0.1, 0.2, 0.3, 0.4), strict=True)},
            "score": [0.9, 0.8],
            "side": ["left", None],
            "kind": [None, "object"],
            "contact": [True, None],
        }
    )
    pq.write_table(table, tmp_path / "boxes.parquet")
    assert read_box_rows(file).to_pylist() == read_box_rows(tmp_path / "boxes.parquet").to_pylist()


def test_columns_that_need_not_be_there_are_empty_and_others_are_left_alone(tmp_path: Path) -> None:
    file = csv(tmp_path, "a,3,0,0,1,1,0.5,no", header="video,frame,x0,y0,x1,y1,score,difficult")
    (row,) = read_box_rows(file).to_pylist()
    assert (row["frame"], row["side"], row["kind"], row["contact"]) == (3, None, None, None)
    assert "difficult" not in row


def test_with_the_frames_size_corners_are_pixels(tmp_path: Path) -> None:
    file = csv(tmp_path, "a,0,64,36,640,360,0.5,640,360", header="video,time_s,x0,y0,x1,y1,score,width,height")
    assert corners(read_box_rows(file)) == [(0.1, 0.1, 1.0, 1.0)]


def test_a_row_without_corners_needs_no_score_and_has_no_box(tmp_path: Path) -> None:
    assert corners(read_box_rows(csv(tmp_path, "a,0.5,,,,,,,,"))) == [(None,) * 4]


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (",0,0,0,1,1,0.5,,,", "video None; expected the id of a video"),
        ("a,,0,0,1,1,0.5,,,", "time_s None; expected seconds, 0 or more"),
        ("a,-1,0,0,1,1,0.5,,,", "time_s -1.0; expected seconds, 0 or more"),
        ("a,inf,0,0,1,1,0.5,,,", "time_s inf; expected seconds"),
        ("a,0,0,0,1.5,1,0.5,,,", r"x0 0\.0, y0 0\.0, x1 1\.5, y1 1\.0; expected 0 ≤ x0 ≤ x1 ≤ 1"),
        ("a,0,-0.1,0,1,1,0.5,,,", r"x0 -0\.1, .*; expected 0 ≤ x0"),
        ("a,0,0.6,0,0.5,1,0.5,,,", r"x0 0\.6, y0 0\.0, x1 0\.5"),
        ("a,0,0,0.6,1,0.5,0.5,,,", r"y0 0\.6, x1 1\.0, y1 0\.5"),
        ("a,0,nan,0,1,1,0.5,,,", r"x0 nan, .*; expected 0 ≤ x0"),
        ("a,0,0,0,1,,0.5,,,", "y1 None; expected all four corners, or none"),
        ("a,0,0,0,1,1,,,,", r"score None; expected a score in \[0, 1\]"),
        ("a,0,0,0,1,1,1.5,,,", "score 1.5; expected a score"),
        ("a,0,0,0,1,1,0.5,both,,", "side 'both'; expected left or right"),
        ("a,0,0,0,1,1,0.5,,foot,", "kind 'foot'; expected hand or object"),
        ("a,0,0,0,1,1,0.5,,,maybe", "column contact: .*'maybe'"),
        ("a,zero,0,0,1,1,0.5,,,", "column time_s: .*'zero'"),
    ],
)
def test_a_wrong_row_is_named_with_what_was_found_and_expected(tmp_path: Path, row: str, text: str) -> None:
    with pytest.raises(InputError, match=rf"boxes\.csv, row 3[:,] .*{text}"):
        read_box_rows(csv(tmp_path, "a,0,0,0,1,1,0.5,left,hand,false", row))


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("a,0,0,0,641,360,0.5,640,360", r"x1 641\.0, .*width 640\.0, .*; expected 0 ≤ x0 ≤ x1 ≤ width"),
        ("a,0,0,0,64,36,0.5,,360", r"width None, height 360\.0; expected the frame's size in pixels"),
        ("a,0,0,0,0,0,0.5,0,360", r"width 0\.0, height 360\.0; expected the frame's size in pixels"),
    ],
)
def test_pixels_outside_the_frame_are_refused(tmp_path: Path, row: str, text: str) -> None:
    with pytest.raises(InputError, match=text):
        read_box_rows(csv(tmp_path, row, header="video,time_s,x0,y0,x1,y1,score,width,height"))


def test_a_frame_is_the_number_of_a_jpeg_from_1_on(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"row 2: frame 0; expected the number of a JPEG, 1 or more"):
        read_box_rows(csv(tmp_path, "a,0,0,0,1,1,0.5", header="video,frame,x0,y0,x1,y1,score"))


@pytest.mark.parametrize(
    "header",
    [
        "video,x0,y0,x1,y1,score",
        "video,frame,time_s,x0,y0,x1,y1,score",
        "clip,time_s,x0,y0,x1,y1,score",
        "video,time_s,x0,y0,x1,y1",
        "video,time_s,x0,y0,x1,y1,score,width",
        "",
    ],
)
def test_wrong_columns_are_named_with_those_expected(tmp_path: Path, header: str) -> None:
    with pytest.raises(InputError, match=r"found the columns .*; expected video, x0, y0, x1, y1, score, one of frame"):
        read_box_rows(csv(tmp_path, header=header))


def test_what_is_no_table_is_refused_with_its_name(tmp_path: Path) -> None:
    for name, content, text in (
        ("a.parquet", b"video,time_s", "not a Parquet file"),
        ("a.csv", b"\xff\xfev", "not a text file in UTF-8"),
        ("a.pkl", b"", "expected a file ending in .parquet or .csv"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=rf"{name}: .*{text}"):
            read_box_rows(tmp_path / name)


def test_a_parquet_column_of_another_type_is_refused(tmp_path: Path) -> None:
    columns = {"video": ["a"], "frame": [1.5], "score": [0.5], **{name: [0.5] for name in ("x0", "y0", "x1", "y1")}}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"a\.parquet, row 1: frame 1\.5; expected the number of a JPEG"):
        read_box_rows(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    "content",
    [
        "video;frame;x0;y0;x1;y1;score\na;3,0;0,1;0,2;0,3;0,4;0,5\n",
        "video;frame;x0;y0;x1;y1;score\na;3;0.1;0.2;0.3;0.4;0.5\n",
        "sep=;\nvideo;frame;x0;y0;x1;y1;score\na;3;0,1;0,2;0,3;0,4;0,5\n",
        "video\tframe\tx0\ty0\tx1\ty1\tscore\na\t3\t0.1\t0.2\t0.3\t0.4\t0.5\n",
        "video, frame, x0, y0, x1, y1, score\na,3.0,0.1,0.2,0.3,0.4,0.5\n",
        "video,frame,x0,y0,x1,y1,score\na,3.0,0.1,0.2,0.3,0.4,0.5\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_spreadsheets_and_pandas_write_is_read_alike(tmp_path: Path, content: str, encoding: str) -> None:
    file = tmp_path / "boxes.csv"
    file.write_bytes(content.encode(encoding))
    (row,) = read_box_rows(file).to_pylist()
    assert [row[name] for name in ("video", "frame", "x0", "y0", "x1", "y1", "score")] == [
        "a",
        3,
        0.1,
        0.2,
        0.3,
        0.4,
        0.5,
    ]
    assert isinstance(row["frame"], int)


def test_nan_in_parquet_is_a_missing_corner(tmp_path: Path) -> None:
    columns = {"video": ["a"], "frame": [3.0], **{name: [float("nan")] for name in ("score", "x0", "y0", "x1", "y1")}}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert corners(read_box_rows(tmp_path / "a.parquet")) == [(None,) * 4]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_column_that_appears_twice_is_refused(tmp_path: Path, kind: str) -> None:
    names = ["video", "frame", "x0", "y0", "x1", "y1", "score", "score"]
    cells = [["a"], [3], *([0.5] for _ in names[2:])]
    file = tmp_path / f"a.{kind}"
    if kind == "csv":
        file.write_text(",".join(names) + "\na,3,0.5,0.5,0.5,0.5,0.5,0.1\n")
    else:
        pq.write_table(pa.Table.from_arrays([pa.array(cell) for cell in cells], names), file)
    with pytest.raises(InputError, match=rf"a\.{kind}.*: the column 'score' appears 2 times; keep one of them"):
        read_box_rows(file)


def test_a_parquet_column_that_is_no_number_is_named_with_its_type(tmp_path: Path) -> None:
    columns = {"video": ["a"], "frame": [1], "score": [[0.5]], **{name: [0.5] for name in ("x0", "y0", "x1", "y1")}}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"a\.parquet, column score: found list<.*>; expected double"):
        read_box_rows(tmp_path / "a.parquet")


def test_what_rounding_leaves_outside_is_set_to_the_edge_and_what_is_farther_is_refused(tmp_path: Path) -> None:
    file = csv(tmp_path, "a,0,-1e-8,-0.0005,1.0000001,1.0005,1.0000001,,,", "a,0,0,0.2,1,1,1,,,")
    rows = read_box_rows(file)
    assert corners(rows) == [(0, 0, 1, 1), (0, 0.2, 1, 1)]
    assert rows.column("score").to_pylist() == [1, 1]
    pixels = csv(tmp_path, "a,0,0,-0.1,1920.5,1080,1,1920,1080", header="video,time_s,x0,y0,x1,y1,score,width,height")
    assert corners(read_box_rows(pixels)) == [(0, 0, 1, 1)]
    with pytest.raises(InputError, match=r"row 2: x0 0\.0, y0 0\.0, x1 1\.002"):
        read_box_rows(csv(tmp_path, "a,0,0,0,1.002,1,1,,,"))


def test_another_encoding_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "boxes.csv"
    file.write_bytes(HEADER.encode() + "\ncrème.mp4,0,0,0,1,1,1,,,\n".encode("cp1252"))
    with pytest.raises(
        InputError, match=r"boxes\.csv: not a text file in UTF-8 \(line 2: byte 0xe8, in Windows-1252 'è'"
    ):
        read_box_rows(file)
