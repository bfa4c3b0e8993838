from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from data_manifests.errors import InputError
from data_manifests.readers.table import TableReader
from data_manifests.readers.table_columns import check_columns


def _read(file: Path, content: str, **mapping: str) -> tuple[list[dict[str, Any]], list[str]]:
    file.write_text(content, encoding="utf-8")
    rows = TableReader([(file, "val")], mapping).read("val")
    assert rows.rejects.num_rows == 0
    return rows.clips.to_pylist(), list(rows.findings)


def _check(*found: str, **columns: str) -> str | None:
    ours = ("video", "start_s", "stop_s", "start_frame", "stop_frame", "verb", "noun", "all_nouns", "recording_id")
    return check_columns(Path("x.csv"), found, {name: name for name in ours} | columns)


def test_times_under_other_names_are_refused_with_the_way_out(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    content = "video,start_sec,end_sec,verb,noun\na.mp4,1,2,stir,pan\n"
    with pytest.raises(InputError) as error:
        _read(file, content)
    assert str(error.value) == (
        f"{file}: the columns 'start_sec' and 'end_sec' are not read, and there is no start_s and no stop_s. If that "
        "is what they are: --column start_s=start_sec --column stop_s=end_sec. If not, say that the table has none: "
        "--column start_s= --column stop_s=."
    )
    (clip,), findings = _read(file, content, start_s="start_sec", stop_s="end_sec")
    assert (clip["start_s"], clip["stop_s"], findings) == (1.0, 2.0, [])
    (clip,), findings = _read(file, content, start_s="", stop_s="")
    assert (clip["start_s"], clip["stop_s"]) == (0.0, None)
    assert findings == ["x.csv: columns that are not read: 'start_sec', 'end_sec'"]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        *((name, "start_s") for name in ("start", "start_time", "begin", "startTime", "t_start", "Start_S", "onset")),
        *((name, "stop_s") for name in ("end", "stop_time", "end_sec", "clip_end", "stop_timestamp")),
        *((name, "verb") for name in ("Verb", "verb_class", "verbs", "vrb", "action")),
        *((name, "noun") for name in ("noun_label", "label", "object", "category")),
        ("nouns", "all_nouns"),
        ("frame_start", "start_frame"),
        ("recording", "recording_id"),
    ],
)
def test_a_name_that_resembles_an_absent_column_is_refused(theirs: str, ours: str) -> None:
    with pytest.raises(InputError, match=f"'{theirs}' is not read, and there is no {ours}. .*--column {ours}={theirs}"):
        _check("video", theirs)
    assert _check("video", theirs, **{ours: theirs}) is None
    assert _check("video", theirs, **{ours: ""}) is not None


def test_milliseconds_are_told_from_seconds() -> None:
    with pytest.raises(InputError, match=r"milliseconds; expected seconds\.$"):
        _check("video", "start_ms", "stop_ms")


@pytest.mark.parametrize("name", ["fps", "start_location", "end_effector", "comment", "kitchen", "n_frames", "legend"])
def test_a_column_of_another_meaning_is_named_and_left_alone(name: str) -> None:
    assert _check("video", name) == f"x.csv: columns that are not read: {name!r}"


@pytest.mark.parametrize("there", ["start_s,stop_s,verb,noun", "start_frame,stop_frame,verb,all_nouns"])
def test_what_resembles_a_column_that_is_there_is_left_alone(there: str) -> None:
    others = ["action", "label", "verb_class", "noun_class", "nouns"] + ["start_frame_no"] * ("start_s" in there)
    assert _check("video", *there.split(","), *others) is not None


def test_blanks_around_a_name_in_the_header_are_no_part_of_it(tmp_path: Path) -> None:
    content = "video , start_s, stop_s, noun \na.mp4, 1, 2, pan\n"
    (clip,), findings = _read(tmp_path / "x.csv", content)
    assert (clip["start_s"], clip["stop_s"], clip["noun"], findings) == (1.0, 2.0, "pan", [])
    (clip,), _ = _read(tmp_path / "x.csv", "video, from\na.mp4, 1\n", start_s=" from")
    assert clip["start_s"] == 1.0


def test_each_file_is_told_of_in_its_own_split(tmp_path: Path) -> None:
    for name, column in (("train", "fps"), ("val", "room")):
        (tmp_path / f"{name}.csv").write_text(f"video,{column}\na.mp4,1\n")
    reader = TableReader([(tmp_path / "train.csv", "train"), (tmp_path / "val.csv", "val")])
    assert reader.read("train").findings[0] == "train.csv: columns that are not read: 'fps'"
    assert reader.read("val").findings == ["val.csv: columns that are not read: 'room'"]


def test_a_table_cut_off_in_its_last_cell_says_so(tmp_path: Path) -> None:
    _, findings = _read(tmp_path / "x.csv", "video,noun\na.mp4,crème\nb.mp4,crè")
    assert findings == [
        "x.csv: its last line has no line end; if the file was cut off there, noun 'crè' in row 3 is not whole"
    ]
    assert _read(tmp_path / "x.csv", "video,noun\na.mp4,crème\nb.mp4,crème")[1] == []
